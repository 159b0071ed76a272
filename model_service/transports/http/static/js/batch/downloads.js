// Results as files: CSV with the input columns as they were, and JSON lines with everything.
import { writeRow, writeStart } from "./csv_writer.js";
import { writeJson } from "../json.js";
import { writeValue } from "./results.js";
import { Slices } from "./slices.js";

const NOT_SENT = "not sent";
const PART_ROWS = 1000;

export function* csvLines(results) {
  const { table, columns } = results;
  yield writeStart([...table.columns, ...columns.map(({ name }) => `output.${name}`), "error"]);
  for (let row = 0; row < table.length; row += 1) {
    const error = results.isDone(row) ? results.sentencesOf(row).join("; ") : NOT_SENT;
    const outputs = columns.map((column) => writeValue(results.valueAt(row, column)));
    yield writeRow([...table.cellsOf(row), ...outputs, error]);
  }
}

export function* jsonLines(results, fields) {
  const { table } = results;
  for (let row = 0; row < table.length; row += 1) {
    // Inputs are put in as text, so that large numbers keep their digits.
    yield `{"row":${row + 1},"input":${table.inputOf(row, fields)},${writeResult(results, row)}}\n`;
  }
}

function writeResult(results, row) {
  if (!results.isDone(row)) return `"status":${JSON.stringify(NOT_SENT)}`;
  if (results.hasFailed(row)) return `"errors":${JSON.stringify(results.faults[row])}`;
  return `"output":${writeJson(results.outputs[row])}`;
}

export async function collect(lines, type) {
  const slices = new Slices();
  const parts = [];
  let part = [];
  for (const line of lines) {
    part.push(line);
    if (part.length === PART_ROWS) parts.push(part.splice(0).join(""));
    if (slices.isOver) await slices.next();
  }
  return new Blob([...parts, ...part], { type });
}

export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // after the browser has taken it
}
