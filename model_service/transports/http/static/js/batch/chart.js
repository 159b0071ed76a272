// Draws the distribution of one output column as SVG: bars for classes, a histogram for numbers. What is counted is
// distribution.js; colours are classes of css/batch.css.
import { clip, formatCount, svgElement } from "./elements.js";

const LINE = 30; // height of one class
const HEIGHT = 240;
const MARGIN = { left: 48, right: 12, top: 12, bottom: 28 };
const NARROW = 480;
const COUNT_WIDTH = 120;
const LETTER = 7.5; // width of an average letter

export function drawClasses(classes, { width, description }) {
  const share = width < NARROW ? 0.4 : 0.3; // of the width, for the names of classes
  const labelWidth = Math.min(width * share, Math.max(...classes.map(({ label }) => label.length)) * LETTER + 12);
  const barWidth = Math.max(10, width - labelWidth - COUNT_WIDTH);
  const most = Math.max(...classes.map(({ count }) => count));
  const bars = classes.flatMap(({ label, count, share }, i) => {
    const middle = i * LINE + LINE / 2;
    const length = (barWidth * count) / most;
    const name = clip(label || "(empty)", Math.max(4, Math.floor(labelWidth / LETTER) - 1));
    return [
      svgElement("text", { x: labelWidth - 8, y: middle, class: "chart-label", "text-anchor": "end" }, name),
      svgElement("rect", { x: labelWidth, y: middle - 9, width: Math.max(1, length), height: 18, rx: 2, class: "chart-bar" }),
      svgElement("text", { x: labelWidth + length + 6, y: middle, class: "chart-label" }, `${formatCount(count)} (${formatShare(share)})`),
    ];
  });
  return drawing(width, classes.length * LINE, description, bars);
}

export function drawHistogram(bins, { width, description }) {
  const plot = { width: width - MARGIN.left - MARGIN.right, height: HEIGHT - MARGIN.top - MARGIN.bottom };
  const most = Math.max(...bins.map(({ count }) => count));
  const bin = plot.width / bins.length;
  const heightOf = (count) => (plot.height * count) / most;
  const bars = bins.map(({ count }, i) =>
    svgElement("rect", {
      x: MARGIN.left + i * bin + 0.5,
      y: MARGIN.top + plot.height - heightOf(count),
      width: Math.max(1, bin - 1),
      height: heightOf(count),
      class: "chart-bar",
    }),
  );
  return drawing(width, HEIGHT, description, [...drawScale(most, plot, width), ...bars, ...drawEdges(bins, bin, plot)]);
}

function drawScale(most, plot, width) {
  const counts = most > 1 ? [0, Math.round(most / 2), most] : [0, most];
  return counts.flatMap((count) => {
    const y = MARGIN.top + plot.height * (1 - count / most);
    return [
      svgElement("line", { x1: MARGIN.left, x2: width - MARGIN.right, y1: y, y2: y, class: "chart-line" }),
      svgElement("text", { x: MARGIN.left - 8, y, class: "chart-label", "text-anchor": "end" }, formatShort(count)),
    ];
  });
}

function drawEdges(bins, bin, plot) {
  const edges = [...bins.map(({ from }) => from), bins.at(-1).to];
  const longest = Math.max(...edges.map((edge) => String(edge).length));
  const every = Math.max(1, Math.ceil((longest * LETTER + 16) / bin));
  return edges.flatMap((edge, i) => {
    if (i % every) return [];
    const x = Math.min(MARGIN.left + i * bin, MARGIN.left + plot.width);
    const anchor = i === bins.length ? "end" : "middle";
    return [svgElement("text", { x, y: HEIGHT - MARGIN.bottom + 16, class: "chart-label", "text-anchor": anchor }, String(edge))];
  });
}

function drawing(width, height, description, children) {
  const size = { width, height, viewBox: `0 0 ${width} ${height}` };
  return svgElement("svg", { ...size, role: "img", "aria-label": description, class: "chart" }, ...children);
}

export function formatShare(share) {
  const percent = 100 * share;
  return `${percent >= 10 || percent === 0 ? Math.round(percent) : percent.toFixed(percent >= 1 ? 1 : 2)} %`;
}

function formatShort(count) {
  return count.toLocaleString("en", { notation: "compact", maximumFractionDigits: 1 });
}
