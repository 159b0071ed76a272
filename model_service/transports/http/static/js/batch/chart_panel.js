// Chooses the output column of the chart, and shows the same numbers as a table. The drawing itself is chart.js.
import { drawClasses, drawHistogram, formatShare } from "./chart.js";
import { countClasses, makeHistogram } from "./distribution.js";
import { clip, countOf, element, formatCount } from "./elements.js";
import { isObject } from "./results.js";

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

  start(results) {
    [this.results, this.#wasChosen, this.names] = [results, false, ""];
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
      areNumbers &&= typeof value === "number";
      values.push(value);
    }
    return { name: column.name, values, isClass: !areNumbers || hasChoices(this.schema, column.keys) };
  }

  #offer(columns) {
    const names = columns.map(({ name }) => name);
    const chosen = this.#wasChosen && names.includes(this.select.value) ? this.select.value : chooseColumn(columns).name;
    if (names.join("\n") !== this.names) {
      this.select.replaceChildren(...names.map((name) => element("option", { value: name }, clip(name, 60))));
      this.names = names.join("\n");
    }
    this.select.value = chosen;
  }

  #draw() {
    const { name, values, isClass } = this.#read(this.results.columns.find((column) => column.name === this.select.value));
    const entries = isClass ? countClasses(values) : makeHistogram(values);
    this.width = this.place.clientWidth;
    const options = { width: Math.max(240, this.width), description: describe(name, values.length, entries) };
    this.place.replaceChildren(isClass ? drawClasses(entries, options) : drawHistogram(entries, options));
    this.rows.replaceChildren(...entries.map((entry) => drawEntry(entry)));
  }
}

// The first that looks like a class, else the first number, else what there is.
function chooseColumn(columns) {
  const isCountable = ({ isClass, values }) => isClass && new Set(values).size <= MAX_CLASSES;
  return columns.find(isCountable) ?? columns.find(({ isClass }) => !isClass) ?? columns[0];
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

// Whether the output schema lists the values at a path; whole numbers are classes only then.
function hasChoices(schema, keys) {
  let field = schema;
  for (const key of keys) field = resolve(schema, resolve(schema, field)?.properties?.[key]);
  return Array.isArray(field?.enum) || (Array.isArray(field?.oneOf) && field.oneOf.every((choice) => isObject(choice) && "const" in choice));
}

function resolve(schema, field) {
  if (typeof field?.$ref !== "string" || !field.$ref.startsWith("#/")) return field;
  const parts = field.$ref.slice(2).split("/").map((part) => decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~"));
  return parts.reduce((node, part) => node?.[part], schema);
}
