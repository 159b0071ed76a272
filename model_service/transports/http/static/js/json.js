// JSON that keeps every digit of an integer: one beyond 2^53 is a BigInt, all else is what JSON.parse makes of it.

const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*/g;
const LONG_INTEGER = /^-?\d{16,}$/;
const MAY_HOLD_ONE = /(?:^|[[:,\s])-?\d{16,}(?![\d.eE])/;

// No text that is read or written can hold it.
const makeMark = () => `integer${Math.random().toString(36).slice(2)}:`;

/** The value of a JSON text; throws what JSON.parse throws. */
export function readJson(text) {
  const value = JSON.parse(text);
  if (!MAY_HOLD_ONE.test(text)) return value;
  const mark = makeMark();
  const isLong = (token) => LONG_INTEGER.test(token) && !Number.isSafeInteger(Number(token));
  const marked = text.replace(TOKEN, (token) => (isLong(token) ? `"${mark}${token}"` : token));
  const revive = (key, inner) => (typeof inner === "string" && inner.startsWith(mark) ? BigInt(inner.slice(mark.length)) : inner);
  return JSON.parse(marked, revive);
}

/** The JSON text of a value. */
export function writeJson(value, indent) {
  const mark = makeMark();
  const text = JSON.stringify(value, (key, inner) => (typeof inner === "bigint" ? `${mark}${inner}` : inner), indent);
  return text?.replace(new RegExp(`"${mark}(-?\\d+)"`, "g"), "$1");
}

/** Whether some part of a JSON value passes a test. */
export function hasPart(value, test) {
  return test(value) || (value !== null && typeof value === "object" && Object.values(value).some((part) => hasPart(part, test)));
}
