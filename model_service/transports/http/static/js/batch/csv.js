// Reads CSV as RFC 4180 says, with the delimiters that spreadsheets write. It knows no schema;
// what a cell stands for is decided in columns.js.
import { toPayload, typeCells, writeObject } from "./columns.js";
import { FileFault, MAX_ROWS, checkColumns, tooManyRows } from "./file_text.js";
import { Slices } from "./slices.js";

const DELIMITERS = { ",": "commas", ";": "semicolons", "\t": "tabs" };
//: The column of the download that keeps the cells a row has too many.
const EXTRA = "extra_cells";

export class CsvTable {
  constructor(delimiter, columns, rows) {
    this.format = `CSV with ${DELIMITERS[delimiter]}`;
    this.header = columns;
    this.rows = rows;
    this.extra = rows.some((cells) => cells.length > columns.length);
    this.delimiter = delimiter;
  }

  get length() {
    return this.rows.length;
  }

  get columns() {
    return this.extra ? [...this.header, EXTRA] : this.header;
  }

  // The texts of a row, one per column.
  cellsOf(row) {
    const cells = this.rows[row];
    const texts = this.header.map((_, i) => cells[i] ?? "");
    return this.extra ? [...texts, cells.slice(this.header.length).join(this.delimiter)] : texts;
  }

  // Why a row cannot be sent, or nothing.
  faultOf(row) {
    const [found, expected] = [this.rows[row].length, this.header.length];
    if (found === expected) return "";
    if (found === 1 && !this.rows[row][0].trim()) return "the line is blank";
    return `${found} ${found === 1 ? "cell" : "cells"}, but the header has ${expected}`;
  }

  describeBroken(count) {
    return `${count === 1 ? "has" : "have"} more or fewer cells than the header`;
  }

  // [name, JSON text] of a row under the names of the file.
  membersOf(row, fields) {
    return typeCells(fields, this.header, this.rows[row]);
  }

  // The JSON text of a row as it stands in the file: every column under its own name, or the cells of one that is broken.
  inputOf(row, fields) {
    return this.faultOf(row) ? JSON.stringify(this.rows[row]) : writeObject(this.membersOf(row, fields));
  }

  payloadOf(row, fields, leftOut) {
    return writeObject(toPayload(this.membersOf(row, fields), fields, leftOut));
  }
}

// `known` are the model's fields: they alone are names although they may look like numbers.
export async function parseCsv(text, { signal, known = [], maxRows = MAX_ROWS } = {}) {
  const delimiter = detectDelimiter(text);
  const records = readRecords(text, delimiter);
  const columns = records.next().value;
  checkHeader(columns, known);
  const rows = [];
  const slices = new Slices(signal);
  let seen = 0;
  let last = 0; // rows up to the last that is not blank
  for (const cells of records) {
    seen += 1;
    if (rows.length < maxRows) rows.push(cells); // a spreadsheet may end in a million blank lines
    if (cells.some((cell) => cell.trim())) last = seen;
    if (last > maxRows) throw tooManyRows(maxRows);
    if (slices.isOver) await slices.next();
  }
  rows.length = last;
  if (!last) throw new FileFault("The file has a header and no rows; add a row below it.");
  return new CsvTable(delimiter, columns, rows);
}

// The delimiter that gives the header the most columns; a comma when there is but one column.
export function detectDelimiter(text) {
  let [best, most] = [",", 1];
  for (const delimiter of Object.keys(DELIMITERS)) {
    const cells = readRecords(text, delimiter).next().value.length;
    if (cells > most) [best, most] = [delimiter, cells];
  }
  return best;
}

export function* readRecords(text, delimiter) {
  const plain = new RegExp(`[${delimiter}\\r\\n]|$`, "g");
  let at = 0;
  while (at < text.length) {
    const cells = [];
    for (;;) {
      let cell = "";
      if (text[at] === '"') [cell, at] = readQuoted(text, at);
      plain.lastIndex = at;
      const end = plain.exec(text).index;
      cells.push(cell + text.slice(at, end)); // text after a closing quote is kept as it stands
      at = end;
      if (text[at] !== delimiter) break;
      at += 1;
    }
    if (text[at] === "\r") at += 1;
    if (text[at] === "\n") at += 1;
    yield cells;
  }
}

function readQuoted(text, start) {
  const parts = [];
  let from = start + 1;
  for (;;) {
    const quote = text.indexOf('"', from);
    if (quote < 0) {
      const line = text.slice(0, start).split(/\r\n|\r|\n/).length;
      throw new FileFault(`A quote opens in line ${line} and is never closed; close it, or write "" for a quote inside quotes.`);
    }
    parts.push(text.slice(from, quote));
    if (text[quote + 1] !== '"') return [parts.join(""), quote + 1];
    parts.push('"');
    from = quote + 2;
  }
}

function checkHeader(columns, known) {
  checkColumns(columns.length);
  const blank = columns.findIndex((name) => !name.trim() && !known.includes(name));
  if (!columns.some((name) => known.includes(name) || Number.isNaN(Number(name)))) {
    throw new FileFault("The first line has no column names; add a header as in the template.");
  }
  if (blank >= 0) throw new FileFault(`Column ${blank + 1} has no name in the header; name it or remove it.`);
  const twice = columns.find((name, i) => columns.indexOf(name) < i);
  if (twice !== undefined) throw new FileFault(`Two columns are named “${shorten(twice)}”; rename or remove one.`);
}

function shorten(name) {
  return name.length > 60 ? `${name.slice(0, 60)}…` : name;
}
