// What is known of a file before it is sent: its facts, faults of its columns, its first rows.
import { findColumnFaults, namesIn } from "./column_faults.js";
import { clip, countOf, element, formatCount } from "./elements.js";
import { drawCell } from "./results_table.js";

const ROWS = 10;
const MAX_COLUMNS = 60;
const MAX_RENAMED = 8;

export class Preview {
  constructor(root, { columns, isClosed }) {
    this.root = root;
    this.columns = columns;
    this.isClosed = isClosed;
    this.heading = root.querySelector("h2");
    this.facts = root.querySelector("[data-facts]");
    this.renamed = root.querySelector("[data-renamed]");
    this.faults = root.querySelector("[data-faults]");
    this.choice = root.querySelector("[data-leave-out]");
    this.table = root.querySelector("table");
    this.send = root.querySelector("[data-send]");
    this.choice.querySelector("input").addEventListener("change", () => this.#judge());
  }

  // fields: the field of each column of the file; cellFaults: what findCellFaults found.
  start(file, table, fields, cellFaults) {
    [this.file, this.fields, this.cellFaults] = [table, fields, cellFaults];
    this.choice.querySelector("input").checked = false;
    this.heading.textContent = clip(file.name, 80);
    this.facts.textContent = [
      `${table.format}, ${formatSize(file.size)}`,
      countOf(table.length, "row"),
      countOf(table.columns.length, "column"),
    ].join(", ");
    this.#showRenamed();
    this.#judge();
    this.#draw();
  }

  // Names of columns that the person wants to be left out.
  get leftOut() {
    return new Set(this.choice.querySelector("input").checked ? this.found.unknown : []);
  }

  #showRenamed() {
    const renamed = namesIn(this.file).filter((name) => this.fields.has(name) && this.fields.get(name).name !== name);
    const pairs = renamed.slice(0, MAX_RENAMED).map((name) => `“${clip(name, 40)}” as ${this.fields.get(name).name}`);
    if (renamed.length > MAX_RENAMED) pairs.push(`${formatCount(renamed.length - MAX_RENAMED)} more likewise`);
    this.renamed.hidden = !renamed.length;
    this.renamed.textContent = `Read ${pairs.join(", ")}. The downloads keep the names of the file.`;
  }

  #judge() {
    const find = (leftOut) => findColumnFaults(this.file, this.columns, this.fields, { isClosed: this.isClosed, leftOut });
    this.found = find(new Set());
    this.choice.hidden = !this.found.unknown.length;
    if (this.leftOut.size) this.found = find(this.leftOut);
    const sent = this.file.length - this.cellFaults.broken;
    const faults = [...this.found.faults, ...this.cellFaults.sentences];
    const isHopeless = this.found.isHopeless || !sent;
    this.faults.hidden = !faults.length;
    this.faults.querySelector("p").textContent = isHopeless
      ? "No row can be predicted like this."
      : "Rows may fail; the others are predicted.";
    this.faults.querySelector("ul").replaceChildren(...faults.map((fault) => element("li", {}, fault)));
    this.faults.className = `alert alert-${isHopeless ? "danger" : "warning"}`;
    this.send.disabled = isHopeless;
    const all = countOf(this.file.length, "row");
    this.send.textContent = `Predict ${sent === this.file.length ? all : `${formatCount(sent)} of ${all}`}`;
  }

  #draw() {
    const names = this.file.columns.slice(0, MAX_COLUMNS);
    const head = names.map((name) => {
      const isUnknown = this.isClosed && !this.fields.has(name);
      return element("th", { scope: "col", class: isUnknown ? "text-danger-emphasis" : undefined }, clip(name, 60));
    });
    this.table.tHead.replaceChildren(element("tr", {}, element("th", { scope: "col", class: "text-end" }, "Row"), ...head));
    const rows = Array.from({ length: Math.min(ROWS, this.file.length) }, (_, row) => this.#drawRow(row));
    this.table.tBodies[0].replaceChildren(...rows);
    this.table.caption.textContent =
      rows.length < this.file.length ? `The first ${rows.length} of ${formatCount(this.file.length)} rows` : "All rows";
  }

  #drawRow(row) {
    const number = element("th", { scope: "row", class: "text-end fw-normal" }, formatCount(row + 1));
    const fault = this.file.faultOf(row);
    if (fault) {
      const colspan = Math.min(MAX_COLUMNS, this.file.columns.length);
      return element("tr", {}, number, element("td", { colspan, class: "row-errors text-danger-emphasis" }, element("div", {}, fault)));
    }
    return element("tr", {}, number, ...this.file.cellsOf(row).slice(0, MAX_COLUMNS).map((text) => drawCell(text)));
  }
}

function formatSize(bytes) {
  if (bytes < 1024) return countOf(bytes, "byte");
  return bytes < 1024 * 1024 ? `${Math.round(bytes / 1024)} kB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
