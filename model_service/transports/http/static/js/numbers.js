// Numbers as people read them: an integer with all its digits, a fraction with as many as help.

export const isNumber = (value) => typeof value === "number" || typeof value === "bigint";

export function formatNumber(value) {
  if (typeof value === "bigint") return value.toLocaleString("en");
  const size = Math.abs(value);
  if (Number.isInteger(value)) return size < 1e15 ? value.toLocaleString("en") : String(value);
  if (size < 1e-4 || size >= 1e15) return value.toPrecision(4);
  return value.toLocaleString("en", size < 1e5 ? { maximumSignificantDigits: 6 } : { maximumFractionDigits: 1 });
}
