// Instant hints while a person types: the browser's own checks, lengths and patterns. They never
// stop anything from being sent, because the server alone judges.

import { showFault } from "./faults.js";
import { readJson } from "../json.js";
import { parseNumber } from "./values.js";

/** Check a field when the person leaves it; take its message away as soon as they change it. */
export function watchFields(form) {
  // A message moves what is below it. While a button is held down that would take it away
  // from under the pointer, and the click would be lost; so the message waits.
  let isHeld = false;
  let waiting = [];
  addEventListener("pointerdown", () => (isHeld = true), { capture: true });
  for (const name of ["pointerup", "pointercancel"]) {
    addEventListener(name, () => {
      isHeld = false;
      setTimeout(() => waiting.splice(0).forEach((show) => show()));
    }, { capture: true });
  }
  form.addEventListener("submit", () => (waiting = []));
  form.addEventListener("input", (event) => {
    const field = event.target.closest?.(".field");
    if (!field) return;
    if (field.classList.contains("has-error")) showFault(field, "");
    showCounter(field);
  });
  form.addEventListener("change", (event) => {
    const field = event.target.closest?.(".field");
    if (!field || !event.target.matches("input, textarea")) return;
    const show = () => showFault(field, findFault(field, event.target));
    if (isHeld) waiting.push(show);
    else show();
  });
}

/** Show the counters of all fields, after they were filled. */
export function showCounters(form) {
  for (const counter of form.querySelectorAll("[data-counter]")) showCounter(counter.closest(".field"));
}

function findFault(field, input) {
  if (input.disabled || (input.value === "" && !input.validity.badInput)) return ""; // nothing was typed yet
  if (field.dataset.widget === "number") return findNumberFault(input);
  const { minLength, maxLength, pattern, patternMessage } = input.dataset;
  // Like the server, count characters; HTML counts UTF-16 units.
  const length = [...input.value].length;
  if (length < Number(minLength ?? 0)) return `At least ${minLength} characters are needed; there are ${length}.`;
  if (length > Number(maxLength ?? Infinity)) return `At most ${maxLength} characters are allowed; there are ${length}.`;
  const expression = pattern && compile(pattern);
  if (expression && !expression.test(input.value)) return patternMessage || `Enter text that matches the pattern ${pattern}`;
  return input.willValidate && !input.validity.valid ? input.validationMessage : "";
}

function findNumberFault(input) {
  const { value, message } = parseNumber(input.value);
  if (message) return message;
  const { min, max, step } = input.dataset;
  if (min && value < readJson(min)) return `Enter ${min} or more.`;
  if (max && value > readJson(max)) return `Enter ${max} or less.`;
  if (step === "1" && typeof value === "number" && !Number.isInteger(value)) return "Enter a whole number.";
  return "";
}

// Patterns are written for Python; one that JavaScript cannot read is left to the server.
function compile(pattern) {
  try {
    return new RegExp(pattern, "u");
  } catch {
    return null;
  }
}

function showCounter(field) {
  const counter = field.querySelector(":scope > [data-counter]");
  const input = field.querySelector("textarea");
  if (!counter || !input) return;
  const isSequence = field.dataset.widget === "sequence";
  const text = isSequence ? input.value.replace(/^\s*>[^\n]*\n?/, "").replace(/\s/g, "") : input.value;
  const length = [...text].length.toLocaleString("en");
  const most = input.dataset.maxLength;
  const unit = isSequence ? "letters" : "characters";
  counter.textContent = most && !isSequence ? `${length} of ${Number(most).toLocaleString("en")} ${unit}` : `${length} ${unit}`;
}
