// The rows with what became of them, one page at a time: only the shown page is in the document. Outputs stand before
// inputs, so that a narrow screen shows them first; what is wrong with a row stands where its output would.
import { clip, countOf, element, formatCount } from "./elements.js";
import { writeValue } from "./results.js";
import { formatNumber, isNumber } from "../numbers.js";
import { choicesOf, fieldAt, titleOf } from "../schema.js";

const PAGE_ROWS = 50;
//: Wider tables cannot be read; the downloads hold every column.
const MAX_COLUMNS = 40;
const BADGES = { ok: "success", error: "danger", waiting: "secondary", "not sent": "secondary" };

export class ResultsTable {
  #page = 0;

  // root holds the table, the filter and the pager of the template.
  constructor(root, outputSchema) {
    this.schema = outputSchema;
    this.frame = root.querySelector("[data-scrolls]");
    this.table = root.querySelector("table");
    this.note = root.querySelector("[data-note]");
    this.filter = root.querySelector("[data-filter]");
    this.pager = root.querySelector("[data-pager]");
    this.number = this.pager.querySelector("input");
    this.filter.addEventListener("change", () => this.#turn(0));
    this.number.addEventListener("change", () => {
      this.#turn(Math.floor(this.number.valueAsNumber) - 1 || 0);
      this.number.value = this.#page + 1; // what was typed may be no page
    });
    for (const button of this.pager.querySelectorAll("button")) {
      button.addEventListener("click", () => this.#turn(this.#page + Number(button.dataset.step)));
    }
  }

  start(results) {
    [this.results, this.#page, this.isRunning] = [results, 0, true];
    this.filter.checked = false;
  }

  show({ isRunning }) {
    this.isRunning = isRunning;
    this.#turn(this.#page);
  }

  #turn(page) {
    const { table } = this.results;
    const failed = this.filter.checked ? this.results.failedRows() : null;
    const count = failed ? failed.length : table.length;
    const pages = Math.max(1, Math.ceil(count / PAGE_ROWS));
    this.#page = Math.max(0, Math.min(pages - 1, page));
    const start = this.#page * PAGE_ROWS;
    const length = Math.min(PAGE_ROWS, count - start);
    this.frame.hidden = !count;
    this.#draw(Array.from({ length }, (_, i) => (failed ? failed[start + i] : start + i)));
    this.#drawPager(pages, count);
  }

  #drawPager(pages, count) {
    const [before, after] = this.pager.querySelectorAll("button");
    this.pager.hidden = pages === 1;
    before.disabled = this.#page === 0;
    after.disabled = this.#page === pages - 1;
    if (document.activeElement !== this.number) this.number.value = this.#page + 1;
    this.number.max = pages;
    this.pager.querySelector("[data-pages]").textContent = `of ${formatCount(pages)}`;
    const hidden = Math.max(0, this.results.table.columns.length - MAX_COLUMNS) + Math.max(0, this.results.columns.length - MAX_COLUMNS);
    const wide = hidden ? ` ${countOf(hidden, "more column")} in the downloads.` : "";
    this.note.textContent = (count ? "" : "No row has errors.") + wide;
  }

  #draw(rows) {
    const inputs = this.results.table.columns.slice(0, MAX_COLUMNS);
    const outputs = this.results.columns
      .slice(0, MAX_COLUMNS)
      .map((column) => ({ ...column, choices: choicesOf(fieldAt(this.schema, column.keys)) }));
    const isNumeric = (column) => rows.some((row) => isPlainNumber(this.results.valueAt(row, column), column.choices));
    const names = outputs.map((column) => drawName(column.name, isNumeric(column) ? "text-end" : undefined));
    this.table.tHead.replaceChildren(...drawHead(inputs.map((name) => drawName(name)), names));
    this.table.tBodies[0].replaceChildren(...rows.map((row) => this.#drawRow(row, outputs)));
  }

  #drawRow(row, outputs) {
    const state = this.#stateOf(row);
    const [first, ...others] = this.results.table.cellsOf(row).slice(0, MAX_COLUMNS).map((text) => drawCell(text));
    first?.classList.add("input-start");
    const cells = first ? [first, ...others] : [element("td", { class: "input-start" })];
    const badge = element("span", { class: `badge text-bg-${BADGES[state]}` }, state);
    return element(
      "tr",
      {},
      element("th", { scope: "row", class: "text-end fw-normal" }, formatCount(row + 1)),
      element("td", {}, badge),
      ...this.#drawOutput(row, outputs, state),
      ...cells,
    );
  }

  #drawOutput(row, outputs, state) {
    const colspan = Math.max(1, outputs.length);
    if (state === "error") {
      const sentences = this.results.sentencesOf(row).map((sentence) => element("div", {}, clip(sentence, 300)));
      return [element("td", { colspan, class: "row-errors text-danger-emphasis" }, ...sentences)];
    }
    if (state !== "ok") return [element("td", { colspan })];
    return outputs.map((column) => drawValue(this.results.valueAt(row, column), column.choices));
  }

  #stateOf(row) {
    if (this.results.hasFailed(row)) return "error";
    if (this.results.isDone(row)) return "ok";
    return this.isRunning ? "waiting" : "not sent";
  }
}

function drawHead(inputs, outputs) {
  const group = (text, names) => element("th", { scope: "colgroup", colspan: Math.max(1, names.length) }, text);
  const [input, first] = [group("Input", inputs), inputs[0] ?? element("td")];
  for (const cell of [input, first]) cell.classList.add("input-start");
  return [
    element(
      "tr",
      {},
      element("th", { scope: "col", rowspan: 2, class: "text-end" }, "Row"),
      element("th", { scope: "col", rowspan: 2 }, "Status"),
      group("Output", outputs),
      input,
    ),
    element("tr", {}, ...(outputs.length ? outputs : [element("td")]), first, ...inputs.slice(1)),
  ];
}

function drawName(name, alignment) {
  return element("th", { scope: "col", class: alignment }, clip(name, 60));
}

export function drawCell(text) {
  return element("td", { class: "text-cell" }, clip(text));
}

function drawValue(value, choices) {
  if (isPlainNumber(value, choices)) return element("td", { class: "text-end" }, formatNumber(value));
  const [title, code] = [titleOf(choices, value), writeValue(value)];
  return element("td", { class: "text-cell" }, clip(title && title !== code ? `${title} (${code})` : code));
}

function isPlainNumber(value, choices) {
  return isNumber(value) && !titleOf(choices, value);
}
