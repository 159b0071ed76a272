// The widgets that hold one value: how each is read and filled. See fields.js for the contract.

import { readJson, writeJson } from "../json.js";
import { isEqual, parseJson, parseNumber } from "./values.js";

const inputOf = (field) => field.querySelector("input:not([data-null], [data-offset]), textarea, select");
const nullBoxOf = (field) => field.querySelector("input[data-null]");

// A box "unknown" stands beside an input that may be null, and switches the input off.
function setNull(field, isNull) {
  const box = nullBoxOf(field);
  if (!box) return;
  box.checked = isNull;
  for (const input of field.querySelectorAll("input:not([data-null]), textarea")) input.disabled = isNull;
}

function startNull(field) {
  nullBoxOf(field)?.addEventListener("change", (event) => setNull(field, event.target.checked));
}

// A widget whose value is text in one input; `toText` and `fromText` are its own.
function textual(toText, fromText) {
  return {
    start: startNull,
    read(field, faults) {
      return nullBoxOf(field)?.checked ? null : fromText(inputOf(field), field, faults);
    },
    write(field, value) {
      setNull(field, value === null);
      inputOf(field).value = value === undefined || value === null ? "" : toText(value);
    },
  };
}

const text = textual(String, (input) => (input.value === "" ? undefined : input.value));

const number = textual(String, (input, field, faults) => {
  const { value, message } = parseNumber(input.value);
  if (message) faults.push({ field, message });
  return value;
});

const json = textual(
  (value) => writeJson(value, null, 1),
  (input, field, faults) => {
    try {
      return parseJson(input.value);
    } catch (error) {
      faults.push({ field, message: error.message });
      return undefined;
    }
  },
);
// Here null is a text like any other.
json.write = (field, value) => {
  inputOf(field).value = value === undefined ? "" : writeJson(value, null, 1);
};

const DATE_TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?)(Z|[+-]\d\d:\d\d)$/;
const datetime = {
  start: startNull,
  read(field) {
    if (nullBoxOf(field)?.checked) return null;
    const local = inputOf(field).value;
    if (local === "") return undefined;
    return (local.length === 16 ? `${local}:00` : local) + field.querySelector("[data-offset]").value.trim();
  },
  write(field, value) {
    setNull(field, value === null);
    const [, local, offset] = DATE_TIME.exec(value) ?? [null, "", "Z"];
    inputOf(field).value = local;
    field.querySelector("[data-offset]").value = offset;
  },
};

const parsed = (option) => (option.value === "" ? undefined : readJson(option.value));

const radios = {
  read(field) {
    const chosen = field.querySelector("input:checked");
    return chosen ? parsed(chosen) : undefined;
  },
  write(field, value) {
    for (const option of field.querySelectorAll("input")) option.checked = isEqual(parsed(option), value);
  },
};

const select = {
  read: (field) => parsed(inputOf(field).selectedOptions[0]),
  write(field, value) {
    const options = [...inputOf(field).options];
    inputOf(field).selectedIndex = Math.max(0, options.findIndex((option) => isEqual(parsed(option), value)));
  },
};

const constant = {
  read: (field) => readJson(field.dataset.value),
  write() {},
};

export const LEAVES = {
  text,
  textarea: text,
  sequence: text,
  number,
  datetime,
  json,
  radios,
  select,
  const: constant,
};
