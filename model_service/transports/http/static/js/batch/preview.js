// What is known of a file before it is sent: its facts, faults of its columns, its first rows.
import { findColumnFaults, namesIn } from "./column_faults.js";
import { clip, countOf, element, formatCount } from "./elements.js";
import { drawCell } from "./results_table.js";

const ROWS = 10;
const MAX_COLUMNS = 60;
const MAX_NAMED = 8;

export class Preview {
  constructor(root, { columns, isClosed }) {
    this.root = root;
    this.columns = columns;
    this.isClosed = isClosed;
    this.heading = root.querySelector("h2");
    this.facts = root.querySelector("[data-facts]");
    this.renamed = root.querySelector("[data-renamed]");
    this.faults = root.querySelector("[data-faults]");
    this.unknown = root.querySelector("[data-unknown]");
    this.table = root.querySelector("table");
    this.send = root.querySelector("[data-send]");
  }

  // fields: the field of each column of the file; cellFaults: what findCellFaults found.
  start(file, table, fields, cellFaults) {
    [this.file, this.fields, this.cellFaults] = [table, fields, cellFaults];
    this.heading.textContent = clip(file.name, 80);
    this.facts.textContent = [
      `${table.format}, ${formatSize(file.size)}`,
      countOf(table.length, "row"),
      countOf(table.columns.length, "column"),
    ].join(", ");
    this.found = findColumnFaults(table, this.columns, fields, { isClosed: this.isClosed });
    this.#showRenamed();
    this.#showUnknown();
    this.#showFaults();
    this.#draw();
  }

  // Names of columns that the model would refuse.
  get leftOut() {
    return new Set(this.found.unknown);
  }

  #showRenamed() {
    const renamed = namesIn(this.file).filter((name) => this.fields.has(name) && this.fields.get(name).name !== name);
    const pairs = renamed.slice(0, MAX_NAMED).map((name) => `“${clip(name, 40)}” as ${this.fields.get(name).name}`);
    if (renamed.length > MAX_NAMED) pairs.push(`${formatCount(renamed.length - MAX_NAMED)} more likewise`);
    this.renamed.hidden = !renamed.length;
    this.renamed.textContent = `Read ${pairs.join(", ")}. The downloads keep the names of the file.`;
  }

  // A file often has a name or a note of its own for each row.
  #showUnknown() {
    const { others } = this.found;
    const [is, it] = others.length === 1 ? ["is not an input", "It is"] : ["are not inputs", "They are"];
    this.unknown.hidden = !others.length;
    this.unknown.textContent = `${listNames(others)} ${is} of the model. ${it} not sent, but kept in the downloads.`;
  }

  #showFaults() {
    const sent = this.file.length - this.cellFaults.broken;
    const { missing, misspelt } = this.found;
    const faults = [...missing, ...misspelt, ...this.cellFaults.sentences];
    const isHopeless = missing.length > 0 || !sent;
    this.faults.hidden = !faults.length;
    this.faults.querySelector("p").textContent = headingOf(isHopeless, this.cellFaults.sentences.length > 0);
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
      return element("th", { scope: "col", class: isUnknown ? "fw-normal" : undefined }, clip(name, 60));
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

function headingOf(isHopeless, hasCellFaults) {
  if (isHopeless) return "No row can be predicted yet.";
  return hasCellFaults ? "Some rows may fail; the others are predicted." : "Is each column spelt right?";
}

function listNames(names) {
  const some = names.slice(0, MAX_NAMED).map((name) => `“${clip(name, 40)}”`);
  if (names.length > MAX_NAMED) some.push(`${formatCount(names.length - MAX_NAMED)} more`);
  return some.length > 1 ? `${some.slice(0, -1).join(", ")} and ${some.at(-1)}` : some.join("");
}

function formatSize(bytes) {
  if (bytes < 1024) return countOf(bytes, "byte");
  return bytes < 1024 * 1024 ? `${Math.round(bytes / 1024)} kB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
