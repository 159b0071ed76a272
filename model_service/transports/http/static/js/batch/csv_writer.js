// Writes CSV that spreadsheets open as it is meant: UTF-8 with a byte order mark, CRLF, and no cell that runs as a formula.
import { writeJson } from "../json.js";

const FORMULA = /^[=+\-@\t\r]/;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const BYTE_ORDER_MARK = "\ufeff";
//: Quoted too are the other delimiters: a spreadsheet of another country would split there and find a new first character.
const SPECIAL = /[",;\t\r\n]/;

export function writeCell(value) {
  const text = String(value ?? "");
  const safe = FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text;
  return SPECIAL.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function writeRow(values) {
  return `${values.map(writeCell).join(",")}\r\n`;
}

export function writeStart(header) {
  return BYTE_ORDER_MARK + writeRow(header);
}

// A file to fill in: every column, and the examples as rows.
export function writeTemplate(columns, examples) {
  const rows = examples.map((example) => writeRow(columns.map(({ name }) => writeExample(example, name))));
  return writeStart(columns.map(({ name }) => name)) + rows.join("");
}

function writeExample(example, name) {
  const value = Object.hasOwn(example, name) ? example[name] : ""; // a field may be named as what every object has
  return typeof value === "string" || value == null ? value : writeJson(value);
}
