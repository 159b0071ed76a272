// Reads and fills the fields that the server drew. A field is an element `.field` whose
// `data-widget` names its kind in KINDS; an absent value is `undefined`, null is null.
//
// Nothing is ever lost by filling: a field that does not read back what was written into it
// (an empty text, a value of another type, more entries than places) shows JSON text instead.

import { readJson } from "../json.js";
import { GROUPS } from "./groups.js";
import { LEAVES } from "./leaves.js";
import { enterRaw, isRaw, leaveRaw, readRaw } from "./raw.js";
import { isEqual } from "./values.js";

const KINDS = { ...LEAVES, ...GROUPS };

/** What the field holds; `faults` gets `{field, message}` for each part that cannot be read. */
export function readField(field, faults) {
  return isRaw(field) ? readRaw(field, faults) : KINDS[field.dataset.widget].read(field, faults, readField);
}

/** Fill a field; `undefined` empties it. */
export function writeField(field, value) {
  leaveRaw(field);
  KINDS[field.dataset.widget].write(field, value, writeField);
  if (value === undefined) return;
  const faults = [];
  if (!isEqual(readField(field, faults), value) || faults.length > 0) enterRaw(field, value);
}

/** Prepare the fields below an element for use: entries that must exist, defaults, buttons. */
export function startFields(root) {
  const fields = [...root.querySelectorAll(".field")];
  for (const field of fields) KINDS[field.dataset.widget].start?.(field, { startFields, readField, writeField });
  setDefaults(fields);
}

/** Empty the whole form, then give what has a default its default. */
export function resetForm(root) {
  writeField(root, undefined);
  for (const field of root.querySelectorAll(".field")) KINDS[field.dataset.widget].restart?.(field);
  setDefaults([...root.querySelectorAll(".field")]);
}

// The outer default comes last, because it speaks of the inner fields too.
function setDefaults(fields) {
  for (const field of fields.reverse()) {
    if (field.dataset.default !== undefined) writeField(field, readJson(field.dataset.default));
  }
}

/** The field a JSON Pointer leads to, or the nearest one above it, and the names that are left. */
export function findField(root, pointer) {
  let field = root;
  const names = pointer.split("/").slice(1).map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  while (names.length > 0) {
    const next = isRaw(field) ? null : KINDS[field.dataset.widget].child?.(field, names[0]);
    if (!next) break;
    field = next;
    names.shift();
  }
  return { field, rest: names.join(", ") };
}
