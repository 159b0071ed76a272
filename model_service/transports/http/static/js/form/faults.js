// Puts each fault beside its field, and a summary of links above the form. The texts come from
// the server's problem document, from the browser, or from a field that cannot be read.

import { labelOf } from "./raw.js";

const FOCUSABLE = "input:not(:disabled), textarea:not(:disabled), select:not(:disabled), button:not(:disabled)";

/** Show the message of one field, or take it away with an empty one. */
export function showFault(field, message) {
  const place = errorOf(field);
  place.textContent = message;
  place.hidden = message === "";
  field.classList.toggle("has-error", message !== "");
  for (const input of ownInputs(field)) {
    input.classList.toggle("is-invalid", message !== "");
    if (message) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }
}

export function clearFaults(form) {
  for (const field of form.querySelectorAll(".field.has-error")) showFault(field, "");
}

/**
 * Show faults beside their fields and in the summary, and move the focus to it.
 * @param {{field: Element, message: string}[]} faults
 */
export function showFaults(summary, faults) {
  const byField = new Map();
  const isBefore = (one, other) => one.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING;
  const sorted = faults.toSorted((a, b) => (a.field === b.field ? 0 : isBefore(a.field, b.field) ? -1 : 1));
  for (const { field, message } of sorted) byField.set(field, [...(byField.get(field) ?? []), message]);
  const list = document.createElement("ul");
  list.className = "mb-0";
  for (const [field, messages] of byField) {
    reveal(field);
    showFault(field, messages.join("; "));
    const link = document.createElement("a");
    link.href = `#${field.id}`;
    link.textContent = pathOf(field);
    link.className = "alert-link";
    link.addEventListener("click", (event) => {
      event.preventDefault();
      focusField(field);
    });
    const entry = document.createElement("li");
    entry.dataset.of = field.id;
    entry.append(link, `: ${messages.join("; ")}`);
    list.append(entry);
  }
  const heading = document.createElement("p");
  heading.className = "fw-semibold mb-1";
  summary.replaceChildren(heading, list);
  summary.hidden = false;
  countFaults(summary);
  summary.focus();
}

/** Take a field that was changed out of the summary. */
export function forgetFault(summary, field) {
  for (const entry of summary.querySelectorAll("li")) {
    if (entry.dataset.of === field.id) entry.remove();
  }
  countFaults(summary);
}

function countFaults(summary) {
  const count = summary.querySelectorAll("li").length;
  if (count === 0) hideSummary(summary);
  else summary.firstElementChild.textContent = count === 1 ? "Fix one field" : `Fix ${count} fields`;
}

export function hideSummary(summary) {
  summary.hidden = true;
  summary.replaceChildren();
}

function focusField(field) {
  reveal(field);
  const target = field.querySelector(":scope > .raw textarea") ?? field.querySelector(FOCUSABLE);
  target?.focus();
  field.scrollIntoView({ block: "nearest" });
}

// A field inside a group that is switched off can only be mended once the group is shown.
function reveal(field) {
  for (let outer = field.parentElement?.closest(".field"); outer; outer = outer.parentElement.closest(".field")) {
    const presence = outer.querySelector(":scope > [data-presence]");
    if (presence && presence.value !== "given") {
      presence.value = "given";
      presence.dispatchEvent(new Event("change"));
    }
  }
}

// "Address, Street": what the field is called, from the outside in.
function pathOf(field) {
  const names = [];
  for (let at = field; at; at = at.parentElement.closest(".field")) {
    const entry = at.parentElement.closest(".entry");
    const isEntry = entry && entry.querySelector(".field") === at;
    if (isEntry) names.unshift(`entry ${[...entry.parentElement.children].indexOf(entry) + 1}`);
    else if (at.parentElement.closest(".field") || names.length === 0) names.unshift(labelOf(at));
  }
  return names.filter(Boolean).join(", ") || "The input";
}

const errorOf = (field) => field.querySelector(":scope > .field-error");

// The inputs of the field itself, not of the fields inside it.
const ownInputs = (field) =>
  [...field.querySelectorAll("input, textarea, select")].filter((input) => input.closest(".field") === field);
