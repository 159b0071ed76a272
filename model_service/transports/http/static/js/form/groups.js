// The widgets that hold other fields: objects, arrays, tuples, alternatives, sets of choices.
// See fields.js for the contract; `readField` and `writeField` are handed in.

import { readJson, writeJson } from "../json.js";
import { addLeastEntries, entriesOf, startEntries, writeEntries } from "./entries.js";
import { isRaw } from "./raw.js";
import { isEqual, parseJson, setKey } from "./values.js";

// The fields right inside an element, not those inside other fields.
function fieldsIn(element, owner) {
  return [...element.querySelectorAll(".field")].filter((field) => field.parentElement.closest(".field") === owner);
}

const bodyOf = (field) => field.querySelector(":scope > [data-body]");
const presenceOf = (field) => field.querySelector(":scope > [data-presence]");

// An optional group is sent only when the person says that it is given.
function showBody(field) {
  bodyOf(field).hidden = (presenceOf(field)?.value ?? "given") !== "given";
}

function setPresence(field, value) {
  const presence = presenceOf(field);
  if (presence) {
    presence.value = value === undefined ? "absent" : value === null ? "null" : "given";
    if (presence.selectedIndex < 0) presence.value = "given"; // required: it cannot be absent
  }
  showBody(field);
}

// A group that may be absent or null, around what it reads and writes when it is given.
function optional(kind) {
  return {
    ...kind,
    start(field, tools) {
      kind.start?.(field, tools);
      presenceOf(field)?.addEventListener("change", () => showBody(field));
      showBody(field);
    },
    read(field, faults, readField) {
      const presence = presenceOf(field)?.value ?? "given";
      return presence === "given" ? kind.read(field, faults, readField) : presence === "null" ? null : undefined;
    },
    write(field, value, writeField) {
      setPresence(field, value);
      kind.write(field, value ?? undefined, writeField);
    },
  };
}

const extrasOf = (field) => bodyOf(field).querySelector(":scope > [data-extras]");

const object = optional({
  start(field) {
    extrasOf(field).hidden = field.dataset.open === undefined;
  },
  read(field, faults, readField) {
    const value = {};
    for (const child of fieldsIn(bodyOf(field), field)) {
      const inner = readField(child, faults);
      if (inner !== undefined) setKey(value, child.dataset.name, inner);
    }
    for (const [key, extra] of Object.entries(readExtras(field, faults))) setKey(value, key, extra);
    return value;
  },
  write(field, value, writeField) {
    const known = value !== null && typeof value === "object" && !Array.isArray(value) ? value : {};
    const extras = { ...known };
    for (const child of fieldsIn(bodyOf(field), field)) {
      const name = child.dataset.name;
      writeField(child, Object.hasOwn(known, name) ? known[name] : undefined);
      delete extras[name];
    }
    const area = extrasOf(field);
    const hasExtras = Object.keys(extras).length > 0;
    area.querySelector("textarea").value = hasExtras ? writeJson(extras, null, 1) : "";
    area.hidden = field.dataset.open === undefined && !hasExtras;
  },
  child: (field, key) => fieldsIn(bodyOf(field), field).find((child) => child.dataset.name === key),
});

function readExtras(field, faults) {
  try {
    const extras = parseJson(extrasOf(field).querySelector("textarea").value) ?? {};
    if (typeof extras === "object" && extras !== null && !Array.isArray(extras)) return extras;
    faults.push({ field, message: 'Other fields must be a JSON object, such as {"name": "value"}.' });
  } catch (error) {
    faults.push({ field, message: error.message });
  }
  return {};
}

const array = optional({
  start: startEntries,
  restart: addLeastEntries,
  read: (field, faults, readField) => entriesOf(field).map((entry) => readEntry(entry, faults, readField)),
  write: (field, value, writeField) => writeEntries(field, Array.isArray(value) ? value : [], writeField),
  child: (field, key) => entriesOf(field)[Number(key)],
});

// An entry has a place, so it cannot be absent.
function readEntry(entry, faults, readField) {
  const before = faults.length;
  const value = readField(entry, faults);
  if (value === undefined && faults.length === before) {
    faults.push({ field: entry, message: "Fill in this entry or remove it." });
  }
  return value ?? null;
}

const placesOf = (field) =>
  [...bodyOf(field).querySelectorAll(":scope > [data-place]")].map((place) => place.querySelector(".field"));

const tuple = optional({
  start(field, tools) {
    if (bodyOf(field).querySelector(":scope > [data-entries]")) startEntries(field, tools);
  },
  read(field, faults, readField) {
    const own = [];
    const values = placesOf(field).map((place) => readField(place, own));
    faults.push(...own);
    const more = entriesOf(field).map((entry) => readEntry(entry, faults, readField));
    const given = more.length > 0 ? values.length : values.findLastIndex((value) => value !== undefined) + 1;
    values.slice(0, given).forEach((value, i) => {
      const place = placesOf(field)[i];
      if (value === undefined && !own.some((fault) => fault.field === place)) {
        faults.push({ field: place, message: "Fill in this entry too: a later one is filled in." });
      }
    });
    return [...values.slice(0, given).map((value) => value ?? null), ...more];
  },
  write(field, value, writeField) {
    const values = Array.isArray(value) ? value : [];
    const places = placesOf(field);
    places.forEach((place, i) => writeField(place, values[i]));
    writeEntries(field, values.slice(places.length), writeField);
  },
  child: (field, key) => [...placesOf(field), ...entriesOf(field)][Number(key)],
});

// The order in which choices were made is part of the value.
let choices = 0;
const orderOf = (box) => Number(box.dataset.order);

const checkboxes = optional({
  start(field) {
    field.addEventListener("change", (event) => {
      event.target.dataset.order = choices += 1;
    });
  },
  read: (field) =>
    [...bodyOf(field).querySelectorAll("input:checked")]
      .sort((a, b) => orderOf(a) - orderOf(b))
      .map((box) => readJson(box.value)),
  write(field, value) {
    const chosen = Array.isArray(value) ? value : [];
    for (const box of bodyOf(field).querySelectorAll("input")) {
      const place = chosen.findIndex((entry) => isEqual(entry, readJson(box.value)));
      box.checked = place >= 0;
      if (box.checked) box.dataset.order = choices + place;
    }
    choices += chosen.length;
  },
});

const formsOf = (field) => [...field.querySelectorAll(":scope > .alternatives > [data-form]")];
const choiceOf = (field) => field.querySelector(":scope > [data-alternative]");
const chosenFieldOf = (field) => formsOf(field)[Number(choiceOf(field).value)]?.querySelector(".field");

function choose(field, choice) {
  choiceOf(field).value = choice;
  for (const form of formsOf(field)) form.hidden = form.dataset.form !== choiceOf(field).value;
}

const alternatives = {
  start(field) {
    choiceOf(field).addEventListener("change", (event) => choose(field, event.target.value));
  },
  read(field, faults, readField) {
    if (choiceOf(field).value === "") return undefined;
    return choiceOf(field).value === "null" ? null : readField(chosenFieldOf(field), faults);
  },
  write(field, value, writeField) {
    choose(field, value === null ? "null" : "");
    for (const form of formsOf(field)) writeField(form.querySelector(".field"), undefined);
    if (value === undefined || value === null) return;
    // The alternative that shows the value without falling back to JSON text is the one that was meant.
    for (const form of formsOf(field)) {
      const inner = form.querySelector(".field");
      writeField(inner, value);
      if (!isRaw(inner) && !inner.querySelector("[data-raw]") && hasNoExtras(inner)) {
        choose(field, form.dataset.form);
        return;
      }
      writeField(inner, undefined);
    }
  },
  // A violation points into the value, and so into the alternative that was chosen.
  child(field, key) {
    const chosen = chosenFieldOf(field);
    return chosen && !isRaw(chosen) && { object, array, tuple }[chosen.dataset.widget]?.child(chosen, key);
  },
};

const hasNoExtras = (field) => field.dataset.widget !== "object" || extrasOf(field).querySelector("textarea").value === "";

export const GROUPS = { object, array, tuple, checkboxes, alternatives };
