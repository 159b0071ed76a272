// Probabilities as bars with readable numbers, the largest first.

/**
 * The shares that a value consists of; null when it is something else.
 * @returns {{label: string, share: number}[] | null}
 */
export function readShares(value, rule, nameOf) {
  const pairs = Array.isArray(value) ? readPairs(value) : Object.entries(value).map(([key, share]) => [nameOf(key), share]);
  if (!pairs || pairs.length < 2 || !pairs.every(([, share]) => typeof share === "number" && share >= 0 && share <= 1)) return null;
  // Some numbers between 0 and 1 are no shares of one thing: they add up to 1, or the schema bounds each.
  const sum = pairs.reduce((total, [, share]) => total + share, 0);
  const rules = Object.values(rule?.properties ?? {});
  const isBounded = rules.length > 0 && rules.every((one) => one?.minimum === 0 && one?.maximum === 1);
  if (Math.abs(sum - 1) > 0.01 && !isBounded) return null;
  return pairs.map(([label, share]) => ({ label, share })).sort((a, b) => b.share - a.share);
}

// [{label, score}], as classifiers often answer.
function readPairs(entries) {
  const pairs = entries.map((entry) => {
    const label = entry?.label ?? entry?.class ?? entry?.name;
    const share = entry?.probability ?? entry?.score;
    const isPair = typeof label === "string" && typeof share === "number" && Object.keys(entry).length === 2;
    return isPair ? [label, share] : null;
  });
  return pairs.every(Boolean) ? pairs : null;
}

/** One row per share: label, bar, number. */
export function drawBars(shares) {
  const list = document.createElement("ul");
  list.className = "bars list-unstyled";
  for (const { label, share } of shares) {
    const row = document.createElement("li");
    row.className = "bar-row";
    const name = document.createElement("span");
    name.className = "bar-label";
    name.textContent = label;
    const track = document.createElement("span");
    track.className = "progress";
    const bar = document.createElement("span");
    bar.className = "progress-bar";
    bar.style.width = `${share * 100}%`;
    track.append(bar);
    track.setAttribute("aria-hidden", "true"); // the number says it
    const number = document.createElement("span");
    number.className = "bar-number";
    number.textContent = formatShare(share);
    row.append(...(label ? [name] : []), track, number);
    list.append(row);
  }
  return list;
}

export function formatShare(share) {
  if (share > 0 && share < 0.0005) return "< 0.1 %";
  if (share < 1 && share > 0.9995) return "> 99.9 %";
  return `${(share * 100).toFixed(1)} %`;
}
