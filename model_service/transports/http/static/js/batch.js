// The page of files: takes a file through its states, and hands each part of the page what it shows.
// empty -> reading -> faults or preview -> running -> paused, cancelled or done. A new file starts afresh once it is read
// and the person agrees to lose what only this page has; until then the one before stays, with its results.
import { findCellFaults } from "./batch/cell_faults.js";
import { ChartPanel } from "./batch/chart_panel.js";
import { namesIn } from "./batch/column_faults.js";
import { fieldName, matchFields } from "./batch/columns.js";
import { writeTemplate } from "./batch/csv_writer.js";
import { collect, csvLines, jsonLines, save } from "./batch/downloads.js";
import { countOf } from "./batch/elements.js";
import { FileFault } from "./batch/file_text.js";
import { JobOffer } from "./batch/job_offer.js";
import { Preview } from "./batch/preview.js";
import { Progress } from "./batch/progress.js";
import { ask } from "./batch/question.js";
import { Results } from "./batch/results.js";
import { ResultsTable } from "./batch/results_table.js";
import { watchScroll } from "./batch/scroll_hint.js";
import { Sender } from "./batch/sender.js";
import { readJson } from "./json.js";
import { readTable } from "./batch/table.js";

//: The bar moves with every answer; the table and the chart look again this often.
const REFRESH_MS = 1000;

const page = readJson(document.getElementById("content").dataset.page);
const root = document.getElementById("batch");
const part = (name) => document.getElementById(name);
const isClosed = page.input_schema.additionalProperties === false && !page.input_schema.patternProperties;

const jobOffer = new JobOffer(part("job-offer"), page);
const preview = new Preview(part("preview"), { columns: page.columns, isClosed });
const progress = new Progress(part("progress"), announce);
const resultsTable = new ResultsTable(document.querySelector("[data-rows]"), page.output_schema);
const chart = new ChartPanel(part("chart"), page.output_schema);

let reading = new AbortController();
let work = null; // {file, table, fields, results, sender, wait_s, saved} of the file that is shown
let refresh = 0;

async function readFile(file) {
  reading.abort();
  reading = new AbortController();
  const { signal } = reading;
  part("file-fault").hidden = true;
  jobOffer.hide();
  part("reading").hidden = false;
  if (!work) setState("reading");
  try {
    if (jobOffer.takes(file)) throw new FileFault("this page does not show such files.", { isForJob: true });
    const table = await readTable(file, { signal, known: page.columns.map(({ name }) => name) });
    const fields = matchFields(page.columns, namesIn(table), { isClosed });
    const cellFaults = await findCellFaults(table, fields, { schema: page.input_schema, signal });
    if (signal.aborted) return;
    part("reading").hidden = true;
    if (wouldLose() && !(await ask(part("question"), describeLoss(file), signal))) return;
    work?.sender?.cancel();
    work = { file, table, fields };
    preview.start(file, table, fields, cellFaults);
    setState("preview");
    if (table.length > page.max_rows) {
      jobOffer.offer(file, "The file takes more than one request. As a job it is predicted even when this page is closed.");
    }
    announce(`${file.name}: ${countOf(table.length, "row")} read.`);
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof FileFault)) throw error;
    refuseFile(`${file.name}: ${error.message}`);
    if (error.isForJob) jobOffer.offer(file, `As a job, the service reads ${file.name} itself, however large it is.`);
  } finally {
    if (!signal.aborted) part("reading").hidden = true;
  }
}

function refuseFile(sentence) {
  part("file-fault").textContent = work ? `${sentence} ${work.file.name} is still shown below.` : sentence;
  part("file-fault").hidden = false;
  if (!work) setState("faults");
}

function sendRows() {
  jobOffer.hide();
  const { table, fields } = work;
  const leftOut = preview.leftOut;
  const results = new Results(table);
  const own = { ...work, results, wait_s: 0, saved: 0 };
  const ifShown = (show) => () => own === work && show();
  own.sender = new Sender({
    path: page.predict_path,
    rows: results.open,
    write: (row) => table.payloadOf(row, fields, leftOut),
    maxRows: page.max_rows,
    maxBytes: page.max_body_bytes,
    reports: {
      onOutput: (row, output) => results.setOutput(row, output),
      onFaults: (row, faults) => results.setFaults(row, faults),
      onWait: (wait_s) => {
        own.wait_s = wait_s;
        ifShown(showProgress)();
      },
      onChange: ifShown(showWork),
    },
  });
  work = own;
  resultsTable.start(results);
  chart.start(results, new Set(table.columns.map((name) => fieldName(fields, name))));
  run();
}

async function run() {
  const own = work;
  progress.start(own.results);
  setState("running");
  part("cancel").focus();
  const clock = setInterval(() => own === work && showProgress(), REFRESH_MS); // the rate falls while nothing comes
  await own.sender.run();
  clearInterval(clock);
  if (own !== work) return;
  announce(part("progress").querySelector("[data-text]").textContent);
  (own.sender.state === "done" ? part("results-heading") : part("resume")).focus();
}

function showWork() {
  const { sender } = work;
  setState(sender.state);
  showProgress();
  if (sender.state !== "running") showResults();
  else refresh ||= setTimeout(showResults, REFRESH_MS);
}

function showProgress() {
  const { results, sender, wait_s } = work;
  progress.show(results, sender, { wait_s });
}

function showResults() {
  clearTimeout(refresh);
  refresh = 0;
  if (!work?.results) return;
  const isRunning = work.sender.state === "running";
  part("results").hidden = !work.results.done;
  resultsTable.show({ isRunning });
  chart.show({ isRunning });
}

function setState(state) {
  if (root.dataset.state === state) return;
  root.dataset.state = state;
  const isSent = ["running", "paused", "cancelled", "done"].includes(state);
  part("preview").hidden = state !== "preview" && !isSent;
  part("before-sending").hidden = state !== "preview";
  part("progress").hidden = !isSent;
  if (!isSent) part("results").hidden = true; // it comes with the first row that is done
  part("cancel").hidden = state !== "running";
  part("resume").hidden = state !== "paused" && state !== "cancelled";
  part("resume").textContent = state === "paused" ? "Resume" : "Send the rest";
}

function announce(text) {
  part("announcement").textContent = text;
}

async function download(lines, type, ending) {
  const own = work;
  const { done } = own.results;
  const name = own.file.name.replace(/\.[^.]*$/, "");
  save(await collect(lines, type), `${name}.${page.qualified_name}.${ending}`);
  own.saved = done;
}

// Whether there are predictions that only this page has.
function hasUnsaved({ results, saved }) {
  return results.done > results.failed && results.done > saved;
}

const isUnderWay = () => ["running", "paused"].includes(work?.sender?.state);
const wouldLose = () => isUnderWay() || (work?.sender && hasUnsaved(work));

function describeLoss(file) {
  const why = isUnderWay() ? "are not all predicted" : "are predicted, but not downloaded";
  return `The rows of ${work.file.name} ${why} yet. ${file.name} would take their place.`;
}

const input = part("file");
input.addEventListener("change", () => {
  const [file] = input.files;
  if (!file) return;
  readFile(file);
  input.value = ""; // so that the same file, mended, can be chosen again
});

// A file that misses the drop zone must not replace the page.
let depth = 0;
document.addEventListener("dragenter", () => {
  depth += 1;
  part("drop-zone").classList.add("dragging");
});
document.addEventListener("dragleave", () => {
  depth -= 1;
  if (depth <= 0) endDrag();
});
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  endDrag();
  const [file] = event.dataTransfer.files;
  if (file) readFile(file);
});

function endDrag() {
  depth = 0;
  part("drop-zone").classList.remove("dragging");
}

part("template").addEventListener("click", () => {
  save(new Blob([writeTemplate(page.columns, page.examples)], { type: "text/csv" }), `${page.qualified_name}.csv`);
});
part("send").addEventListener("click", sendRows);
part("cancel").addEventListener("click", () => work.sender.cancel());
part("resume").addEventListener("click", run);
part("download-csv").addEventListener("click", () => download(csvLines(work.results), "text/csv", "csv"));
part("download-json").addEventListener("click", () =>
  download(jsonLines(work.results, work.fields), "application/jsonl", "jsonl"),
);
window.addEventListener("beforeunload", (event) => {
  if (wouldLose()) event.preventDefault();
});
for (const frame of document.querySelectorAll("[data-scrolls]")) watchScroll(frame);
