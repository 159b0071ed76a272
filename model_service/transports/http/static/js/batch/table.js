// From a file to a table of rows: tells the format by what is in the file. A table has `format`, `columns`, `length`,
// `cellsOf(row)`, `faultOf(row)`, `membersOf(row, fields)`, `inputOf(row, fields)`, `payloadOf(row, fields, leftOut)` and
// `describeBroken(count)`, whatever it was read from.
import { parseCsv } from "./csv.js";
import { FileFault, readText } from "./file_text.js";
import { parseJsonRows } from "./json_rows.js";

const JSON_START = /^\s*(\{\s*["}]|\[\s*[[{\]])/;
const JSON_NAME = /\.(json|jsonl|ndjson)$/i;

// `known` are the names of the model's fields.
export async function readTable(file, { signal, known = [] } = {}) {
  const text = await readText(file);
  signal?.throwIfAborted();
  refuseFasta(text, known);
  return isJson(text, file.name) ? parseJsonRows(text, { signal }) : parseCsv(text, { signal, known });
}

export function isJson(text, name) {
  return JSON_START.test(text) || (JSON_NAME.test(name) && /^\s*[[{]/.test(text));
}

function refuseFasta(text, known) {
  if (!text.trimStart().startsWith(">") || known.some((name) => name.startsWith(">"))) return;
  const header = known.length === 1 ? `the one column “${known[0]}”` : "the columns of the template";
  throw new FileFault(`This looks like FASTA, which is not read here; write a CSV file with ${header} and one sequence per row.`);
}
