// What is wrong with the columns of a file as a whole, told before anything is sent. Cells are cell_faults.js.
import { fieldName } from "./columns.js";
import { clip } from "./elements.js";

const MAX_SENTENCES = 20;
const MAX_LETTERS = 40;
const MISSPELT = 0.4; // share of letters that may differ

// {missing, misspelt: sentences, unknown: names that are not sent, others: those of them that resemble no field}
export function findColumnFaults(table, columns, fields, { isClosed }) {
  const present = new Set(table.columns.map((name) => fieldName(fields, name)));
  const absent = columns.filter((column) => !present.has(column.name));
  const unknown = isClosed ? namesIn(table).filter((name) => !fields.has(name)) : [];
  const meant = new Map(unknown.map((name) => [name, suggestName(name, absent.map((column) => column.name))]));
  const misspelt = unknown.filter((name) => meant.get(name)).map((name) => misspeltSentence(name, meant.get(name)));
  if (misspelt.length > MAX_SENTENCES) misspelt.splice(MAX_SENTENCES, Infinity, `${misspelt.length - MAX_SENTENCES} more columns are like that.`);
  return {
    missing: absent.filter((column) => column.is_required).map((column) => missingSentence(column)),
    misspelt,
    unknown,
    others: unknown.filter((name) => !meant.get(name)),
  };
}

// Without the column that keeps what a row has too many.
export function namesIn(table) {
  return table.header ?? table.columns;
}

function missingSentence({ name, title, example }) {
  const words = title === name ? "" : ` (${title})`;
  return `The column “${name}”${words} is missing${example ? `; an example of its cells is ${clip(example, MAX_LETTERS)}` : ""}.`;
}

function misspeltSentence(name, meant) {
  return `The model has no column “${clip(name, MAX_LETTERS)}”; did you mean “${meant}”?`;
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
