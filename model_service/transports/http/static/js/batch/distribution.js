// How often each class occurs, or how numbers spread, as plain values; chart.js draws them.

const MAX_CLASSES = 20;
const MAX_BINS = 20;
//: Below it a power of ten has no digits left, and the smallest of all becomes zero.
const LEAST_POWER = -300;
const NOISE = 1e-9;
const STEPS = [1, 2, 2.5, 5, 10];

// `nameOf` gives a value the words it is shown with.
export function countClasses(values, nameOf = String) {
  const counts = new Map();
  const names = new Map();
  for (const value of values) {
    const key = String(value);
    if (!counts.has(key)) names.set(key, nameOf(value));
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const sorted = [...counts].sort((one, other) => other[1] - one[1]);
  const classes = sorted.slice(0, MAX_CLASSES).map(([key, count]) => ({ label: names.get(key), count }));
  const others = sorted.slice(MAX_CLASSES);
  if (others.length) {
    classes.push({ label: `other (${others.length})`, count: others.reduce((sum, [, count]) => sum + count, 0) });
  }
  return classes.map((entry) => ({ ...entry, share: entry.count / values.length }));
}

// At most twenty bins with round edges; the last holds its upper edge too. {from, to, label, count, share} each.
export function makeHistogram(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  if (!Number.isFinite(high - low)) return [{ from: low, to: high, label: `${low} to ${high}`, count: values.length, share: 1 }];
  const step = chooseStep(low, high, values.every(Number.isInteger));
  const first = Math.floor(low / step + 1e-9);
  const size = Math.max(1, Math.ceil(high / step - 1e-9) - first);
  const counts = new Array(size).fill(0);
  for (const value of values) {
    counts[Math.max(0, Math.min(size - 1, Math.floor(value / step - first + 1e-9)))] += 1;
  }
  return counts.map((count, i) => {
    const [from, to] = [round((first + i) * step, step), round((first + i + 1) * step, step)];
    return { from, to, label: `${from} to ${to}`, count, share: count / values.length };
  });
}

function chooseStep(low, high, areIntegers) {
  const size = Math.max(Math.abs(low), Math.abs(high));
  // Values that only rounding tells apart get one bin, of a width that their size suggests.
  const least = high - low > NOISE * size ? (high - low) / MAX_BINS : size / 10 || 1;
  const fits = (step) => Math.ceil(high / step - 1e-9) - Math.floor(low / step + 1e-9) <= MAX_BINS;
  for (let power = Math.max(LEAST_POWER, Math.floor(Math.log10(least))); ; power += 1) {
    for (const digit of STEPS) {
      const step = Number(`${digit}e${power}`);
      if (fits(step) && (!areIntegers || Number.isInteger(step))) return step;
    }
  }
}

// Without the dust of floating point: as many digits as the step has.
function round(edge, step) {
  const decimals = Math.max(0, -Math.floor(Math.log10(step)) + 1);
  return decimals > 15 ? edge : Number(edge.toFixed(decimals));
}
