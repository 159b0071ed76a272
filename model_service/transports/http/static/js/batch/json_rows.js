// Reads JSON lines, or one JSON array of objects. Rows stay the text that they were in the file, so that
// no digit of a large number is lost on the way to the server.
import { fieldName, toPayload, writeObject } from "./columns.js";
import { FileFault, MAX_ROWS, checkColumns, tooManyRows } from "./file_text.js";
import { Slices } from "./slices.js";

export class JsonTable {
  constructor(format, columns, rows, faults) {
    this.format = format;
    this.columns = columns;
    this.rows = rows;
    this.faults = faults;
  }

  get length() {
    return this.rows.length;
  }

  cellsOf(row) {
    if (this.faults[row]) return this.columns.map(() => "");
    const members = new Map(readMembers(this.rows[row]));
    return this.columns.map((name) => writeCell(members.get(name)));
  }

  faultOf(row) {
    return this.faults[row] ?? "";
  }

  describeBroken(count) {
    return count === 1 ? "is no JSON object" : "are no JSON objects";
  }

  membersOf(row) {
    return readMembers(this.rows[row]);
  }

  // In one line: between the parts of a sound object, line ends are blanks.
  inputOf(row) {
    return this.faultOf(row) ? JSON.stringify(this.rows[row]) : this.rows[row].replace(/\s*[\r\n]\s*/g, " ");
  }

  payloadOf(row, fields, leftOut) {
    if (!leftOut.size && this.columns.every((name) => fieldName(fields, name) === name)) return this.rows[row];
    return writeObject(toPayload(this.membersOf(row), fields, leftOut));
  }
}

export async function parseJsonRows(text, { signal, maxRows = MAX_ROWS } = {}) {
  const slices = new Slices(signal);
  const { format, texts } = cutRows(text);
  const [rows, faults, columns] = [[], [], new Set()];
  for (const part of texts) {
    const row = part.trim();
    if (!row) continue; // a blank line, or nothing between two commas
    if (rows.length >= maxRows) throw tooManyRows(maxRows);
    const fault = findFault(row);
    if (fault) faults[rows.length] = fault;
    else for (const [name] of readMembers(row)) columns.add(name);
    checkColumns(columns.size);
    rows.push(row);
    if (slices.isOver) await slices.next();
  }
  if (!rows.length) throw new FileFault("The file has no rows; write one JSON object per line.");
  if (rows.every((_, i) => faults[i])) {
    throw new FileFault(`No row of the file is a JSON object (row 1: ${faults[0]}); write one object per line.`);
  }
  return new JsonTable(format, [...columns], rows, faults);
}

function cutRows(text) {
  const start = text.trimStart();
  if (start.startsWith("[")) {
    return { format: "JSON array", texts: splitElements(start.trimEnd()) };
  }
  const firstLine = start.slice(0, (start.indexOf("\n") + 1 || start.length + 1) - 1);
  // One object over several lines is a row; what is broken over several lines is not searched for.
  if (start.length < 1_000_000 && findFault(firstLine) && !findFault(start)) return { format: "JSON object", texts: [start] };
  return { format: "JSON lines", texts: splitLines(text) };
}

function* splitLines(text) {
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf("\n", at);
    yield text.slice(at, end < 0 ? text.length : end);
    at = end < 0 ? text.length : end + 1;
  }
}

function findFault(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    return "this is not valid JSON";
  }
  return value !== null && typeof value === "object" && !Array.isArray(value) ? "" : "expected a JSON object";
}

// The parts between the commas of an array or object, as they are written.
export function* splitElements(text) {
  const mark = /"[^"\\]*(?:\\.[^"\\]*)*"|[[\]{},]/gs;
  let depth = 0;
  let from = 0;
  for (let found = mark.exec(text); found; found = mark.exec(text)) {
    const sign = found[0];
    if (sign === "[" || sign === "{") {
      depth += 1;
      if (depth === 1) from = found.index + 1;
    } else if (sign === "]" || sign === "}") {
      depth -= 1;
      if (depth > 0) continue;
      if (found.index < text.length - 1) break;
      yield text.slice(from, found.index);
      return;
    } else if (sign === "," && depth === 1) {
      yield text.slice(from, found.index);
      from = found.index + 1;
    }
  }
  throw new FileFault("The brackets of the JSON array do not match; write one JSON object per line instead, then a fault stays in its line.");
}

// The names and the values, as they are written, of an object that is known to be valid.
export function readMembers(text) {
  const members = [];
  for (const part of splitElements(text)) {
    const [name] = /^\s*"[^"\\]*(?:\\.[^"\\]*)*"/s.exec(part) ?? [];
    if (name) members.push([JSON.parse(name), part.slice(part.indexOf(":", name.length) + 1).trim()]);
  }
  return members;
}

// Texts without quotes, null as nothing, everything else as it was written.
function writeCell(value = "null") {
  if (value === "null") return "";
  return value.startsWith('"') ? JSON.parse(value) : value;
}
