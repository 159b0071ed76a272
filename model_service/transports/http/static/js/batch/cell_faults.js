// What is wrong with the rows and cells of a file, told before anything is sent: one sentence for each column and kind of
// fault. It finds what a person can mend at a glance; the server judges every row all the same.
import { clip, countOf, formatCount } from "./elements.js";
import { readJson } from "../json.js";
import { choicesOf, fieldAt } from "../schema.js";
import { Slices } from "./slices.js";

const MAX_SENTENCES = 20;
const MAX_LETTERS = 40;
const MAX_LISTED = 5;
const TYPES = { integer: "a whole number", number: "a number", boolean: "true or false", array: "a JSON array", object: "a JSON object" };
const GROUP = "[,'’ \\u00a0\\u202f]";
const GROUPED = new RegExp(`^-?[1-9]\\d{0,2}(${GROUP}\\d{3})+(\\.\\d+)?$`);

// {sentences, broken: number of rows that cannot be sent}
export async function findCellFaults(table, fields, { schema, signal } = {}) {
  const slices = new Slices(signal);
  const kinds = new Map(); // {write, rows} by column and kind of fault
  const broken = [];
  const note = (key, row, write) => {
    if (!kinds.has(key)) kinds.set(key, { write, rows: [] });
    kinds.get(key).rows.push(row);
  };
  const checks = new Map(table.columns.filter((name) => fields.has(name)).map((name) => [name, makeCheck(fields.get(name), schema)]));
  const required = [...checks.keys()].filter((name) => fields.get(name).is_required);
  for (let row = 0; row < table.length; row += 1) {
    if (slices.isOver) await slices.next();
    if (table.faultOf(row)) {
      broken.push(row);
      continue;
    }
    const members = new Map(table.membersOf(row, fields));
    for (const name of required) if (!members.has(name)) note(`${name}\nempty`, row, (rows) => emptySentence(name, rows));
    for (const [name, text] of members) {
      const words = checks.get(name)?.(text);
      if (words) note(`${name}\nwrong`, row, (rows) => wrongSentence(name, words, rows));
    }
  }
  const sentences = [...kinds.values()].slice(0, MAX_SENTENCES).map(({ write, rows }) => write(rows));
  if (kinds.size > MAX_SENTENCES) sentences.push(`${kinds.size - MAX_SENTENCES} more columns have such cells.`);
  if (broken.length) sentences.unshift(brokenSentence(table, broken));
  return { sentences, broken: broken.length };
}

// A function from the JSON text of a cell to what is wrong with it, or nothing.
function makeCheck({ name, types }, schema) {
  const choices = choicesOf(fieldAt(schema, [name]));
  const takesTexts = !types.length || types.includes("string");
  if (takesTexts && !choices.length) return () => "";
  return (text) => {
    if (text === "null") return "";
    const isText = text.startsWith('"');
    if (isText && !takesTexts) return describeMisfit(types, choices, JSON.parse(text));
    const value = choices.length ? readJson(text) : undefined;
    return choices.length && !choices.some((choice) => choice.value === value) ? describeStranger(choices, String(value)) : "";
  };
}

function describeMisfit(types, choices, cell) {
  if (findAlike(choices, cell)) return describeStranger(choices, cell);
  const words = types.filter((type) => type !== "null").map((type) => TYPES[type]).join(" or ") || "empty";
  return `${clip(cell, MAX_LETTERS)} is not ${words}${wayOut(types, cell.trim())}`;
}

function describeStranger(choices, cell) {
  const values = choices.filter(({ value }) => value !== null).map(({ value }) => String(value));
  const listed = joinWords(values.slice(0, MAX_LISTED), values.length - MAX_LISTED, "or");
  const meant = findAlike(choices, cell);
  return `${clip(cell, MAX_LETTERS)} is not ${listed}${meant ? `; write ${meant.value}` : ""}`;
}

function findAlike(choices, cell) {
  const plain = cell.trim().toLowerCase();
  return choices.find(({ value, title }) => value !== null && [String(value), title].some((text) => text.toLowerCase() === plain));
}

function wayOut(types, cell) {
  const isNumeric = types.includes("number") || types.includes("integer");
  if (isNumeric && GROUPED.test(cell)) return describeGroups(types, cell);
  if (types.includes("number") && /^-?\d+,\d+$/.test(cell)) return "; write a decimal point";
  if (types.includes("boolean") && /^(true|false)$/i.test(cell)) return "; write it in small letters";
  if (isNumeric && /^-?(0|[1-9]\d*)(\.\d+)?$/.test(cell) && cell.length < 20) return "; write it without quotes";
  return "";
}

// 5,000 is five thousand here and five elsewhere, so neither is taken for granted.
function describeGroups(types, cell) {
  const plain = cell.replace(new RegExp(GROUP, "g"), "");
  const isFraction = types.includes("number") && /^-?\d+,\d{3}$/.test(cell);
  return `; thousands separators are not read, so write ${plain}${isFraction ? `, or ${cell.replace(",", ".")} if it is a fraction` : ""}`;
}

function emptySentence(name, rows) {
  return `“${clip(name, MAX_LETTERS)}” is required, but empty in ${listRows(rows)}.`;
}

function wrongSentence(name, words, rows) {
  const more = rows.length - 1;
  const others = more ? ` (and ${countOf(more, "more row")} like it)` : "";
  return `“${clip(name, MAX_LETTERS)}” in row ${formatCount(rows[0] + 1)}: ${words}${others}.`;
}

function brokenSentence(table, rows) {
  const some = `${formatCount(rows.length)} of ${countOf(table.length, "row")}`;
  const are = rows.length === 1 ? "it is" : "they are";
  return `${some} ${table.describeBroken(rows.length)}, so ${are} not sent: ${listRows(rows)}.`;
}

function listRows(rows) {
  const numbers = rows.slice(0, MAX_LISTED).map((row) => formatCount(row + 1));
  return `${rows.length === 1 ? "row" : "rows"} ${joinWords(numbers, rows.length - MAX_LISTED, "and")}`;
}

function joinWords(words, more, conjunction) {
  const parts = more > 0 ? [...words, `${formatCount(more)} more`] : words;
  return parts.length > 1 ? `${parts.slice(0, -1).join(", ")} ${conjunction} ${parts.at(-1)}` : parts.join("");
}
