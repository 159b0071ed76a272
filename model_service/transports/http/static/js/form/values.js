// JSON values: equality, and the words of a text that cannot be read as one.

import { hasPart, readJson } from "../json.js";

const TOO_LARGE = "This number is too large.";

//: 5,000 is five thousand here and five elsewhere.
const AMBIGUOUS = /^[+-]?[1-9]\d{0,2},\d{3}$/;

/** Whether two JSON values are the same; the order of an object's keys does not count. */
export function isEqual(a, b) {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && isEqual(a[key], b[key]));
}

/** The value of a JSON text; `undefined` for an empty one. Throws an Error with words for a person. */
export function parseJson(text) {
  if (text.trim() === "") return undefined;
  let value;
  try {
    value = readJson(text);
  } catch {
    throw new Error("This is not JSON. Texts need double quotes, and no comma may follow the last entry.");
  }
  if (hasPart(value, (part) => part === Infinity || part === -Infinity)) throw new Error(TOO_LARGE);
  return value;
}

/** The number that a person wrote, `undefined` for none; `message` says why a text is none. */
export function parseNumber(text) {
  const typed = text.trim().replace("\u2212", "-");
  if (typed === "") return {};
  if (AMBIGUOUS.test(typed)) return { message: `Write ${typed.replace(",", "")}, or ${typed}0 if decimals follow the comma.` };
  const written = typed.replace(/^([+-]?\d*),(\d+)$/, "$1.$2"); // many telephones offer a comma and no point
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(written)) return { message: "Enter a number, such as 12 or 3.5." };
  const value = Number(written);
  if (!Number.isFinite(value)) return { message: TOO_LARGE };
  const isLong = /^[+-]?\d+$/.test(written) && !Number.isSafeInteger(value);
  return { value: isLong ? BigInt(written.replace("+", "")) : value };
}

/** Set a key that may be called `__proto__`. */
export function setKey(object, key, value) {
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}
