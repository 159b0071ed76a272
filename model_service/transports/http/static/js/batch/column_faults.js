// What is wrong with the columns of a file as a whole, told before anything is sent. Cells are cell_faults.js.
import { fieldName } from "./columns.js";
import { clip } from "./elements.js";

const MAX_SENTENCES = 20;
const MAX_LETTERS = 40;
const MISSPELT = 0.4; // share of letters that may differ

// {faults: sentences, unknown: names that may be left out, isHopeless: whether every row must fail}
export function findColumnFaults(table, columns, fields, { isClosed, leftOut = new Set() }) {
  const unknown = isClosed ? namesIn(table).filter((name) => !fields.has(name)) : [];
  const present = new Set(table.columns.map((name) => fieldName(fields, name)));
  const missing = columns.filter((column) => column.is_required && !present.has(column.name));
  const absent = columns.filter((column) => !present.has(column.name)).map((column) => column.name);
  const faults = missing.map((column) => missingSentence(column));
  const wrong = unknown.filter((name) => !leftOut.has(name));
  faults.push(...wrong.slice(0, MAX_SENTENCES).map((name) => unknownSentence(name, suggestName(name, absent))));
  if (wrong.length > MAX_SENTENCES) faults.push(`${wrong.length - MAX_SENTENCES} more columns are unknown.`);
  return { faults, unknown, isHopeless: missing.length > 0 || isInEveryRow(table, wrong) };
}

// Without the column that keeps what a row has too many.
export function namesIn(table) {
  return table.header ?? table.columns;
}

function missingSentence({ name, title, example }) {
  const words = title === name ? "" : ` (${title})`;
  return `The column “${name}”${words} is missing${example ? `; an example of its cells is ${clip(example, MAX_LETTERS)}` : ""}.`;
}

function unknownSentence(name, suggestion) {
  return `The model knows no column “${clip(name, MAX_LETTERS)}”${suggestion ? `; did you mean “${suggestion}”?` : "."}`;
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
