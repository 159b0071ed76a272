// "Why?" below an answer: asks for its explanation when it is opened, and draws it.

import { formatNumber } from "../numbers.js";
import { resolve } from "../schema.js";
import { explain, predict } from "./api.js";
import { element } from "./result.js";

const MOST_FIELDS = 12;
const MOST_LETTERS = 600;
const GROUP = 10;
const LEVELS = 4;

/**
 * The closed panel of an answer.
 * @param {{explain_path: string, input_schema?: object}} model
 * @param {object} payload What was answered.
 */
export function drawWhy(model, payload) {
  const place = element("div", "why-content");
  place.setAttribute("aria-live", "polite");
  const panel = element("details", "why", element("summary", "", "Why?"), place);
  let isAsked = false;
  panel.addEventListener("toggle", () => {
    if (panel.open && !isAsked) ask();
  });

  async function ask() {
    isAsked = true;
    place.replaceChildren(element("p", "form-text", "Asking the model what led to this…"));
    const result = await predict(model.explain_path, payload);
    if (result.kind === "output") {
      place.replaceChildren(...drawExplanation(result.output.explanation, model.input_schema ?? {}));
      return;
    }
    const { title, detail } = explain(result);
    const again = element("button", "btn btn-sm btn-outline-secondary", "Try again");
    again.type = "button";
    again.addEventListener("click", ask);
    place.replaceChildren(element("p", "mb-1 text-break", [title, detail].filter(Boolean).join(" ")), again);
  }

  return panel;
}

/** The parts that show an explanation. */
export function drawExplanation(explanation, schema) {
  const parts = [];
  if (explanation.contributions?.length > 0) parts.push(...drawFields(explanation, schema));
  for (const track of explanation.sequences ?? []) parts.push(...drawTrack(track));
  if (!explanation.is_complete) parts.push(element("p", "form-text", "There was no time for more: this is known roughly."));
  return parts.length > 0 ? parts : [element("p", "form-text", "The model has nothing to say about this answer.")];
}

function drawFields({ base, explained, contributions }, schema) {
  const ordered = contributions.toSorted((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution));
  const most = Math.abs(ordered[0].contribution);
  const rows = ordered.slice(0, MOST_FIELDS).map((each) => drawBar(each, most, schema));
  const sentence =
    base === null
      ? "How much each field adds:"
      : `Usual is ${round(base)}, and here it is ${round(explained.value)}. How much each field adds to the difference:`;
  const left = ordered.length - rows.length;
  const note = left > 0 ? [element("p", "form-text", `and ${left} more that add less`)] : [];
  return [element("p", "mb-2", sentence), element("ul", "signed-bars list-unstyled", ...rows), ...note];
}

function drawBar({ name, pointer, value, contribution }, most, schema) {
  const rule = resolve(schema, schema.properties?.[pointer === null ? "" : name]) ?? {};
  const label = element("span", "signed-label", rule.title ?? humanise(name));
  const bar = element("span", contribution < 0 ? "signed-bar is-less" : "signed-bar");
  bar.style.width = `${most > 0 ? (50 * Math.abs(contribution)) / most : 0}%`;
  const track = element("span", "signed-track", bar);
  track.setAttribute("aria-hidden", "true"); // the number says it
  const row = element("li", "signed-row", label, track, element("span", "signed-number", sign(contribution)));
  if (value !== undefined && value !== null) label.append(element("span", "signed-value", ` ${shorten(String(value))}`));
  return row;
}

function drawTrack({ start, letters, contributions }) {
  const numbers = contributions.map((each) => each ?? 0);
  const most = numbers.reduce((largest, each) => Math.max(largest, Math.abs(each)), 0);
  if (most < 1e-6) return [element("p", "mb-0", "No part of the sequence changes the answer when it is hidden.")];
  const { first, last } = findStrongest(numbers, most);
  const peak = Math.floor((first + last) / 2);
  const from = Math.max(0, Math.min(peak - MOST_LETTERS / 2, letters.length - MOST_LETTERS));
  const shown = letters.slice(from, from + MOST_LETTERS);
  const place = `${formatNumber(start + first)} to ${formatNumber(start + last)}`;
  const sentence = `Most depends on the letters ${place}: without them the value is ${numbers[peak] < 0 ? "higher" : "lower"}.`;
  const groups = [];
  for (let i = 0; i < shown.length; i += GROUP) groups.push(drawGroup(shown.slice(i, i + GROUP), numbers, from + i, start, most));
  const track = element("div", "letters", ...groups);
  track.tabIndex = 0; // it scrolls
  track.setAttribute("role", "group");
  track.setAttribute("aria-label", `The sequence; most depends on the letters ${place}`);
  const cut = shown.length < letters.length;
  const note = cut ? [element("p", "form-text", `${formatNumber(shown.length)} of ${formatNumber(letters.length)} letters are shown.`)] : [];
  return [element("p", "mb-2", sentence), track, ...note];
}

function drawGroup(text, numbers, at, start, most) {
  const runs = [];
  for (let i = 0; i < text.length; i += 1) {
    const number = numbers[at + i];
    const level = Math.ceil((LEVELS * Math.abs(number)) / most - 0.25);
    const kind = level > 0 ? `letter-${number < 0 ? "less" : "more"}-${level}` : "";
    if (runs.at(-1)?.kind === kind) runs.at(-1).text += text[i];
    else runs.push({ kind, text: text[i] });
  }
  const drawn = runs.map(({ kind, text: run }) => (kind ? element("span", kind, run) : run));
  return element("span", "letter-group", element("span", "letter-position", formatNumber(start + at)), element("span", "", ...drawn));
}

// The stretch around the strongest letter in which all are at least half as strong.
function findStrongest(numbers, most) {
  const isStrong = (i) => Math.abs(numbers[i] ?? 0) >= most / 2;
  let first = numbers.findIndex((each) => Math.abs(each) === most);
  let last = first;
  while (isStrong(first - 1)) first -= 1;
  while (isStrong(last + 1)) last += 1;
  return { first, last };
}

const round = (number) => formatNumber(Number(number.toPrecision(3)));
const sign = (number) => {
  const told = round(Math.abs(number) < 1e-9 ? 0 : number);
  return number > 0 && told !== "0" ? `+${told}` : told.replace("-", "−");
};
const shorten = (text) => (text.length > 24 ? `${text.slice(0, 23)}…` : text);
const humanise = (name) => {
  const words = name.replaceAll("_", " ").trim();
  return words ? words[0].toUpperCase() + words.slice(1) : name;
};
