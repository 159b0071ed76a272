// What the columns of a file mean to a model: which field each is, and cells to typed values by the rule of the command
// line (model_service/schema/columns.py). What is wrong with them is said in column_faults.js and cell_faults.js.

// Python reads no integer of more digits than this, so such a cell stays a text there.
const MAX_DIGITS = 4300;

export function fieldsByName(columns) {
  return new Map(columns.map((column) => [column.name, column]));
}

// The field of each column of a file: the one of that name. A name that the model would refuse is read as the one field
// that the file lacks and whose name or title differs from it only in case, blanks, underscores and hyphens.
export function matchFields(columns, names, { isClosed }) {
  const fields = fieldsByName(columns);
  if (!isClosed) return fields;
  const alike = new Map(); // columns by plain name
  for (const column of columns) {
    for (const key of new Set([plainName(column.name), plainName(column.title)])) alike.set(key, [...(alike.get(key) ?? []), column]);
  }
  const present = new Set(names);
  const claims = new Map(); // names in the file by the field that they may stand for
  for (const name of names) {
    const [field, ...others] = alike.get(plainName(name)) ?? [];
    if (fields.has(name) || !field || others.length || present.has(field.name)) continue;
    claims.set(field, [...(claims.get(field) ?? []), name]);
  }
  for (const [field, [name, ...others]] of claims) if (!others.length) fields.set(name, field);
  return fields;
}

export function plainName(name) {
  return name.toLowerCase().replace(/[\s_-]+/g, "");
}

// The name that the model knows a column of the file by.
export function fieldName(fields, name) {
  return fields.get(name)?.name ?? name;
}

// [name, JSON text] of each cell. Numbers, arrays and objects go as they are written in the cell, so that no digit is
// lost. An empty cell is null where the field may be null and is left out elsewhere.
export function typeCells(fields, names, cells) {
  const members = [];
  names.forEach((name, i) => {
    const types = fields.get(name)?.types ?? [];
    if (cells[i] === "" && !types.includes("null")) return;
    members.push([name, writeValue(types, cells[i])]);
  });
  return members;
}

// The members of a row as the model wants them: under its own names, and without columns that are left out.
export function toPayload(members, fields, leftOut = new Set()) {
  return members.filter(([name]) => !leftOut.has(name)).map(([name, text]) => [fieldName(fields, name), text]);
}

export function writeObject(members) {
  return `{${members.map(([name, text]) => `${JSON.stringify(name)}:${text}`).join(",")}}`;
}

function writeValue(types, cell) {
  if (cell === "") return "null";
  return isJsonCell(types, cell) ? cell.trim() : JSON.stringify(cell);
}

function isJsonCell(types, cell) {
  if (!types.length || types.includes("string")) return false;
  try {
    if (typeof JSON.parse(cell) === "string") return false;
  } catch {
    return false;
  }
  return !/^-?\d+$/.test(cell.trim()) || cell.replace(/\D/g, "").length <= MAX_DIGITS;
}
