// What the columns of a file mean to a model: cells to typed values by the rule of the command line
// (model_service/schema/columns.py), and what is wrong with columns before anything is sent.

// Python reads no integer of more digits than this, so such a cell stays a text there.
const MAX_DIGITS = 4300;
const MAX_SENTENCES = 20;
const MISSPELT = 0.4; // share of letters that may differ

export function fieldsByName(columns) {
  return new Map(columns.map((column) => [column.name, column]));
}

// The JSON text of a row. Numbers, arrays and objects go as they are written in the cell, so that no digit is lost.
// An empty cell is null where the field may be null and is left out elsewhere.
export function writePayload(fields, names, cells, leftOut = new Set()) {
  const members = [];
  names.forEach((name, i) => {
    const types = fields.get(name)?.types ?? [];
    const cell = cells[i];
    if (leftOut.has(name) || (cell === "" && !types.includes("null"))) return;
    members.push(`${JSON.stringify(name)}:${writeValue(types, cell)}`);
  });
  return `{${members.join(",")}}`;
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

// {faults: sentences, unknown: names that may be left out, isHopeless: whether every row must fail}
export function findColumnFaults(table, columns, { isClosed, leftOut = new Set(), sampleRows = 10 }) {
  const fields = fieldsByName(columns);
  const unknown = isClosed ? table.columns.filter((name) => !fields.has(name) && isOfFile(table, name)) : [];
  const present = new Set(table.columns);
  const missing = columns.filter((column) => column.is_required && !present.has(column.name));
  const absent = columns.filter((column) => !present.has(column.name)).map((column) => column.name);
  const faults = missing.map((column) => missingSentence(column));
  const wrong = unknown.filter((name) => !leftOut.has(name));
  faults.push(...wrong.slice(0, MAX_SENTENCES).map((name) => unknownSentence(name, suggestName(name, absent))));
  if (wrong.length > MAX_SENTENCES) faults.push(`${wrong.length - MAX_SENTENCES} more columns are unknown.`);
  faults.push(...findMisfits(table, fields, sampleRows));
  return { faults, unknown, isHopeless: missing.length > 0 || isInEveryRow(table, wrong) };
}

function isOfFile(table, name) {
  return !table.header || table.header.includes(name); // not the column that keeps what a row has too many
}

function missingSentence({ name, title, example }) {
  const words = title === name ? "" : ` (${title})`;
  return `The column “${name}”${words} is missing${example ? `; an example of its cells is ${clip(example)}` : ""}.`;
}

function unknownSentence(name, suggestion) {
  return `The model knows no column “${clip(name)}”${suggestion ? `; did you mean “${suggestion}”?` : "."}`;
}

function isInEveryRow(table, names) {
  if (!names.length) return false;
  const places = names.map((name) => table.columns.indexOf(name));
  for (let row = 0; row < table.length; row += 1) {
    if (table.faultOf(row)) continue;
    const cells = table.cellsOf(row);
    if (places.every((place) => cells[place] === "")) return false;
  }
  return true;
}

// One sentence for the first cell of each column that its type cannot take.
function findMisfits(table, fields, sampleRows) {
  if (!table.header) return []; // JSON has types of its own
  const found = new Map();
  for (let row = 0; row < Math.min(sampleRows, table.length); row += 1) {
    if (table.faultOf(row)) continue;
    table.cellsOf(row).forEach((cell, i) => {
      const name = table.columns[i];
      const types = fields.get(name)?.types ?? [];
      if (cell === "" || found.has(name) || !types.length || types.includes("string") || isJsonCell(types, cell)) return;
      found.set(name, `“${name}” in row ${row + 1}: ${clip(cell)} is not ${nameTypes(types)}${wayOut(types, cell)}.`);
    });
  }
  return [...found.values()];
}

function nameTypes(types) {
  const words = { integer: "a whole number", number: "a number", boolean: "true or false", array: "a JSON array", object: "a JSON object" };
  return types.filter((type) => type !== "null").map((type) => words[type]).join(" or ") || "empty";
}

function wayOut(types, cell) {
  const isNumeric = types.includes("number") || types.includes("integer");
  if (isNumeric && /^\s*-?\d+,\d+\s*$/.test(cell)) return "; write a decimal point";
  if (types.includes("boolean") && /^(true|false)$/i.test(cell.trim())) return "; write it in small letters";
  return "";
}

// The known name that was probably meant, or nothing.
export function suggestName(name, known) {
  const plain = (text) => text.slice(0, 100).toLowerCase().replace(/[\s_-]+/g, "_").replace(/^_|_$/g, "");
  let [best, least] = ["", Infinity];
  for (const candidate of known) {
    const distance = countEdits(plain(name), plain(candidate)) / Math.max(name.length, candidate.length);
    if (distance < least) [best, least] = [candidate, distance];
  }
  return least <= MISSPELT ? best : "";
}

function countEdits(one, other) {
  let before = [...other, ""].map((_, i) => i);
  for (let i = 1; i <= one.length; i += 1) {
    const now = [i];
    for (let j = 1; j <= other.length; j += 1) {
      now.push(Math.min(before[j] + 1, now[j - 1] + 1, before[j - 1] + (one[i - 1] === other[j - 1] ? 0 : 1)));
    }
    before = now;
  }
  return before[other.length];
}

function clip(text) {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
