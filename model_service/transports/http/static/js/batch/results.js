// What is known of each row: its output, its faults, or nothing yet. It draws nothing.
import { writeJson } from "../json.js";

//: Columns that tables and CSV show; JSON lines keep every output whole.
const MAX_OUTPUT_COLUMNS = 500;

export class Results {
  outputs = [];
  faults = [];
  columns = []; // {name, keys} of every value in the outputs so far, nested names joined by dots
  done = 0; // rows with an output or faults
  failed = 0;
  #known = new Set();

  constructor(table) {
    this.table = table;
    for (let row = 0; row < table.length; row += 1) {
      const message = table.faultOf(row);
      if (message) this.setFaults(row, [{ field: "", message }]);
    }
  }

  // Rows that nothing is known of, to be sent.
  get open() {
    const rows = [];
    for (let row = 0; row < this.table.length; row += 1) if (!this.isDone(row)) rows.push(row);
    return rows;
  }

  isDone(row) {
    return row in this.outputs || row in this.faults;
  }

  hasFailed(row) {
    return row in this.faults;
  }

  setOutput(row, output) {
    this.outputs[row] = output;
    this.done += 1;
    this.#addColumns(output, [], "");
  }

  setFaults(row, faults) {
    this.faults[row] = faults;
    this.done += 1;
    this.failed += 1;
  }

  // In the order of the file.
  failedRows() {
    return Object.keys(this.faults).map(Number);
  }

  // "field: message" for each fault of a row.
  sentencesOf(row) {
    return (this.faults[row] ?? []).map(({ field, message }) => (field ? `${field}: ${message}` : message));
  }

  valueAt(row, { keys }) {
    let value = this.outputs[row];
    for (const key of keys) {
      if (!isObject(value) || !Object.hasOwn(value, key)) return undefined;
      value = value[key];
    }
    return value;
  }

  #addColumns(value, keys, name) {
    if (isObject(value) && Object.keys(value).length) {
      for (const key of Object.keys(value)) this.#addColumns(value[key], [...keys, key], name ? `${name}.${key}` : key);
    } else if (!this.#known.has(name) && this.columns.length < MAX_OUTPUT_COLUMNS) {
      this.#known.add(name);
      this.columns.push({ name, keys });
    }
  }
}

export function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

// A value of an output as the text of one cell.
export function writeValue(value) {
  if (value === undefined || value === null) return "";
  return typeof value === "object" ? writeJson(value) : String(value);
}
