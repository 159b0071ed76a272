// JSON values: equality, and the words of a JSON text that cannot be read.

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
  try {
    return JSON.parse(text);
  } catch {
    throw new Error("This is not JSON. Texts need double quotes, and no comma may follow the last entry.");
  }
}

/** Set a key that may be called `__proto__`. */
export function setKey(object, key, value) {
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}
