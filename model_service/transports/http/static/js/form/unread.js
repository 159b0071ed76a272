// Texts that are no values, such as 5,1 where a number is asked for. No payload can hold them, so a draft keeps them
// beside it: each with the way to its field.

import { writeField } from "./fields.js";
import { enterRaw, isRaw } from "./raw.js";

const insideOf = (field) => [...field.querySelectorAll(".field")].filter((one) => outerOf(one) === field);
const outerOf = (field) => field.parentElement.closest(".field");

/** The text of each field that a fault names. */
export function readTexts(root, faults) {
  const fields = [...new Set(faults.map(({ field }) => field))];
  return fields.flatMap((field) => {
    const text = boxOf(field)?.value;
    return text ? [{ path: pathTo(root, field), text, isRaw: isRaw(field) }] : [];
  });
}

/** Put texts back into a form that was filled with the payload beside them. */
export function writeTexts(root, texts) {
  for (const { path, text, isRaw: wasRaw } of texts) {
    const field = path.reduce(stepInto, root);
    if (!field) continue;
    if (wasRaw || field.dataset.widget !== "object") writeField(field, undefined);
    if (wasRaw) enterRaw(field, undefined);
    const box = boxOf(field);
    if (!box) continue;
    box.value = text;
    const extras = box.closest("[data-extras]");
    if (extras) extras.hidden = false;
  }
}

function boxOf(field) {
  if (isRaw(field)) return field.querySelector(":scope > .raw > textarea");
  if (field.dataset.widget === "object") return field.querySelector(":scope > [data-body] > [data-extras] > textarea");
  return insideOf(field).length ? null : field.querySelector("textarea, input[type=text]:not([data-offset])");
}

// The place of each field on the way among those beside it.
function pathTo(root, field) {
  return field === root ? [] : [...pathTo(root, outerOf(field)), insideOf(outerOf(field)).indexOf(field)];
}

function stepInto(field, place) {
  const choice = field?.querySelector(":scope > [data-alternative]");
  if (choice) {
    choice.value = place;
    choice.dispatchEvent(new Event("change"));
  }
  return field && insideOf(field)[place];
}
