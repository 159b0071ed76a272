// Chooses the output column of the chart, and shows the same numbers as a table. The drawing itself is chart.js.
import { drawClasses, drawHistogram, formatShare } from "./chart.js";
import { countClasses, makeHistogram } from "./distribution.js";
import { clip, countOf, element, formatCount } from "./elements.js";
import { isNumber } from "../numbers.js";
import { choicesOf, fieldAt, titleOf } from "../schema.js";

//: A column of texts with more different ones is rather a name of the row than a class.
const MAX_CLASSES = 20;
const SAMPLE_ROWS = 1000;

export class ChartPanel {
  #wasChosen = false;

  // root holds the select, the place of the drawing and the table of the template.
  constructor(root, outputSchema) {
    this.root = root;
    this.select = root.querySelector("select");
    this.place = root.querySelector("[data-chart]");
    this.rows = root.querySelector("tbody");
    this.schema = outputSchema;
    this.select.addEventListener("change", () => {
      this.#wasChosen = true;
      this.#draw();
    });
    new ResizeObserver(() => {
      if (this.select.value && this.width !== this.place.clientWidth) this.#draw();
    }).observe(this.place);
  }

  // inputs: names of the fields that the file has.
  start(results, inputs) {
    [this.results, this.inputs, this.#wasChosen, this.names] = [results, inputs, false, ""];
    this.root.hidden = true;
    this.select.replaceChildren();
  }

  show({ isRunning }) {
    // Which columns there are shows in the first outputs; all are read once, in the end.
    const rows = isRunning ? Math.min(SAMPLE_ROWS, this.results.outputs.length) : this.results.outputs.length;
    const columns = this.results.columns.map((column) => this.#read(column, rows)).filter(({ values }) => values.length);
    this.root.hidden = !columns.length;
    if (!columns.length) return;
    this.#offer(columns);
    this.#draw();
  }

  // Values that can be counted, and whether they are classes.
  #read(column, rows = this.results.outputs.length) {
    const values = [];
    let areNumbers = true;
    for (let row = 0; row < rows; row += 1) {
      const value = this.results.valueAt(row, column);
      if (value === undefined || value === null || typeof value === "object") continue;
      areNumbers &&= isNumber(value);
      values.push(value);
    }
    const choices = choicesOf(fieldAt(this.schema, column.keys));
    return { name: column.name, values, choices, isClass: !areNumbers || choices.length > 0 };
  }

  #offer(columns) {
    const names = columns.map(({ name }) => name);
    const chosen = this.#wasChosen && names.includes(this.select.value) ? this.select.value : chooseColumn(columns, this.inputs).name;
    if (names.join("\n") !== this.names) {
      this.select.replaceChildren(...names.map((name) => element("option", { value: name }, clip(name, 60))));
      this.names = names.join("\n");
    }
    this.select.value = chosen;
  }

  #draw() {
    const column = this.results.columns.find(({ name }) => name === this.select.value);
    const { name, values, choices, isClass } = this.#read(column);
    const nameOf = (value) => titleOf(choices, value) || String(value);
    const entries = isClass ? countClasses(values, nameOf) : makeHistogram(values.map(Number));
    this.width = this.place.clientWidth;
    const options = { width: Math.max(240, this.width), description: describe(name, values.length, entries) };
    this.place.replaceChildren(isClass ? drawClasses(entries, options) : drawHistogram(entries, options));
    this.rows.replaceChildren(...entries.map((entry) => drawEntry(entry)));
  }
}

// The first whose values the schema lists, else that looks like a class, else the first number, else what there is.
// What only repeats the name of a row is worth no chart.
export function chooseColumn(columns, inputs) {
  const worthy = columns.filter(({ name, values }) => !inputs.has(name) || 2 * new Set(values).size <= values.length);
  const isCountable = ({ isClass, values }) => isClass && new Set(values).size <= MAX_CLASSES;
  return (
    columns.find(({ choices }) => choices.length > 1) ??
    worthy.find(isCountable) ??
    worthy.find(({ isClass }) => !isClass) ??
    columns[0]
  );
}

function describe(name, count, entries) {
  const most = entries.slice(0, 20).map((entry) => `${entry.label}: ${formatCount(entry.count)} (${formatShare(entry.share)})`);
  return `${name} of ${countOf(count, "row")}. ${most.join("; ")}.`;
}

function drawEntry({ label, count, share }) {
  return element(
    "tr",
    {},
    element("th", { scope: "row", class: "fw-normal text-break" }, clip(label || "(empty)")),
    element("td", { class: "text-end" }, formatCount(count)),
    element("td", { class: "text-end" }, formatShare(share)),
  );
}
