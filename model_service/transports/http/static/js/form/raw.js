// A field as JSON text: for a value that its widget cannot show.

import { writeJson } from "../json.js";
import { parseJson } from "./values.js";

export const isRaw = (field) => field.dataset.raw !== undefined;

/** Show a field's value as JSON text instead of its widget. */
export function enterRaw(field, value) {
  const id = `${field.id}-raw`;
  const box = document.createElement("div");
  box.className = "raw";
  const text = document.createElement("textarea");
  text.className = "form-control font-monospace";
  text.id = id;
  text.rows = 2;
  text.spellcheck = false;
  text.value = writeJson(value, null, 1);
  text.setAttribute("aria-label", `${labelOf(field)} as JSON`);
  const back = document.createElement("button");
  back.type = "button";
  back.className = "btn btn-sm btn-outline-secondary";
  back.textContent = "Use the form";
  back.addEventListener("click", () => {
    leaveRaw(field);
    field.querySelector("input, select, textarea, button")?.focus();
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });
  box.append(text, back);
  field.dataset.raw = "";
  const label = field.querySelector(":scope > label, :scope > legend");
  if (label) label.after(box);
  else field.prepend(box);
}

/** Show the widget again; what the JSON text held is gone. */
export function leaveRaw(field) {
  if (!isRaw(field)) return;
  field.querySelector(":scope > .raw").remove();
  delete field.dataset.raw;
}

export function readRaw(field, faults) {
  try {
    return parseJson(field.querySelector(":scope > .raw > textarea").value);
  } catch (error) {
    faults.push({ field, message: error.message });
    return undefined;
  }
}

/** What a person calls the field. */
export function labelOf(field) {
  const label = field.querySelector(":scope > label, :scope > legend, :scope > .form-label");
  if (!label) return field.dataset.name ?? "Value";
  const own = [...label.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);
  return own.map((node) => node.textContent).join("").trim().replace(/:$/, "");
}
