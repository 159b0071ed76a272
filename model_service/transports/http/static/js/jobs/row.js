// One job on the page: made once from the template, and changed in place, so that focus and selection stay.
import { countOf, formatCount } from "../batch/elements.js";

const MINUTE_S = 60;
const HOUR_S = 3600;

export class JobRow {
  constructor(template, onEnd) {
    this.node = template.content.firstElementChild.cloneNode(true);
    this.job = null;
    this.part("end").addEventListener("click", () => onEnd(this));
  }

  part(name) {
    return this.node.querySelector(`[data-${name}]`);
  }

  get isOver() {
    return ["succeeded", "failed", "cancelled"].includes(this.job.state);
  }

  show(job) {
    const before = this.job;
    this.job = job;
    const name = job.file_name || `${job.input_format} file`;
    this.node.dataset.is = job.state;
    write(this.part("name"), name);
    write(this.part("state"), job.state);
    write(this.part("about"), `${job.qualified_name} ${job.version}, ${formatTime(job.created_at)}, ${formatBytes(job.input_bytes)}`);
    write(this.part("rows"), describeRows(job));
    const problem = this.part("problem");
    problem.hidden = !job.problem;
    write(problem, job.problem ? job.problem.detail : "");
    const percent = Math.floor(100 * job.progress);
    const bar = this.node.querySelector("[role=progressbar]");
    bar.hidden = this.isOver;
    bar.setAttribute("aria-label", `Progress of ${name}`);
    bar.setAttribute("aria-valuenow", percent);
    bar.firstElementChild.style.width = `${percent}%`;
    const download = this.part("download");
    download.hidden = !job.output_bytes;
    download.href = job.links.output;
    write(download, job.state === "succeeded" ? "Download" : "Download what there is");
    write(this.part("end"), this.isOver ? "Remove" : "Cancel");
    this.part("end").setAttribute("aria-label", `${this.isOver ? "Remove" : "Cancel"} ${name}`);
    return before !== null && before.state !== job.state && this.isOver ? `${name}: ${job.state}.` : "";
  }
}

function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function describeRows(job) {
  const done = job.rows_total === null ? countOf(job.rows_done, "row") : `${formatCount(job.rows_done)} of ${countOf(job.rows_total, "row")}`;
  const parts = [`${done} done`];
  if (job.rows_failed) parts.push(`${formatCount(job.rows_failed)} with an error`);
  if (job.state === "running" && job.rows_per_s) parts.push(`${formatCount(Math.round(job.rows_per_s))} a second`);
  if (job.seconds_left !== null) parts.push(`${formatDuration(job.seconds_left)} left`);
  return parts.join(", ");
}

function formatDuration(seconds) {
  if (seconds < MINUTE_S) return `${Math.ceil(seconds)} s`;
  if (seconds < HOUR_S) return `${Math.ceil(seconds / MINUTE_S)} min`;
  return `${(seconds / HOUR_S).toFixed(1)} h`;
}

function formatBytes(bytes) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let step = 0;
  while (bytes >= 1000 && step < units.length - 1) {
    bytes /= 1000;
    step += 1;
  }
  return `${step ? bytes.toFixed(1) : bytes} ${units[step]}`;
}

const formatTime = (text) => new Date(text).toLocaleString();
