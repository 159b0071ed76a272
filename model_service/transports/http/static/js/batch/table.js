// From a file to a table of rows: tells the format by what is in the file. A table has `format`, `columns`, `length`,
// `cellsOf(row)`, `faultOf(row)`, `rawOf(row)` and `payloadOf(row, fields, leftOut)`, whatever it was read from.
import { parseCsv } from "./csv.js";
import { readText } from "./file_text.js";
import { parseJsonRows } from "./json_rows.js";

const JSON_START = /^\s*(\{\s*["}]|\[\s*[[{\]])/;
const JSON_NAME = /\.(json|jsonl|ndjson)$/i;

export async function readTable(file, { signal, known } = {}) {
  const text = await readText(file);
  signal?.throwIfAborted();
  return isJson(text, file.name) ? parseJsonRows(text, { signal }) : parseCsv(text, { signal, known });
}

export function isJson(text, name) {
  return JSON_START.test(text) || (JSON_NAME.test(name) && /^\s*[[{]/.test(text));
}
