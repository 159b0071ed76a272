// The page of jobs: the newest of them as they are now, asked for again and again while somebody looks.
import { JobRow } from "./jobs/row.js";

//: While something runs, and while nothing does.
const BUSY_MS = 1000;
const QUIET_MS = 5000;

const part = (name) => document.getElementById(name);
const path = part("content").dataset.jobs;
const rows = new Map(); // identifier -> JobRow, the newest first
let pages = 1;
let timer = 0;
let asked = 0;

async function look() {
  clearTimeout(timer);
  const turn = ++asked;
  try {
    const jobs = await readPages();
    if (turn !== asked) return; // a later question has been asked
    part("jobs-fault").hidden = true;
    show(jobs);
  } catch (error) {
    if (turn !== asked) return;
    showFault(error);
  }
  part("jobs-reading").hidden = true;
  const isBusy = [...rows.values()].some((row) => !row.isOver);
  if (!document.hidden) timer = setTimeout(look, isBusy ? BUSY_MS : QUIET_MS);
}

async function readPages() {
  const jobs = [];
  let next = path;
  for (let page = 0; next && page < pages; page += 1) {
    const document_ = await ask(next);
    jobs.push(...document_.jobs);
    next = document_.next;
  }
  part("older").hidden = !next;
  return jobs;
}

async function ask(address, method = "GET") {
  let response;
  try {
    response = await fetch(address, { method, headers: { Accept: "application/json" } });
  } catch {
    throw new Error("The service cannot be reached; this page tries again.");
  }
  const body = response.status === 204 ? null : await response.json();
  if (!response.ok) throw Object.assign(new Error(body.detail), { status: response.status });
  return body;
}

function show(jobs) {
  const list = part("jobs");
  const news = [];
  const known = new Set(jobs.map(({ id }) => id));
  for (const [id, row] of rows) {
    if (known.has(id)) continue;
    row.node.remove();
    rows.delete(id);
  }
  let before = null;
  for (const job of jobs) {
    let row = rows.get(job.id);
    if (!row) rows.set(job.id, (row = new JobRow(part("job"), end)));
    news.push(row.show(job));
    const place = before ? before.nextSibling : list.firstChild;
    if (place !== row.node) list.insertBefore(row.node, place);
    before = row.node;
  }
  list.hidden = !jobs.length;
  part("jobs-empty").hidden = jobs.length > 0;
  const told = news.filter(Boolean).join(" ");
  if (told) part("announcement").textContent = told;
}

async function end(row) {
  const button = row.part("end");
  const next = row.node.nextElementSibling ?? row.node.previousElementSibling;
  button.disabled = true;
  try {
    await ask(row.job.links.self, "DELETE");
    if (row.isOver) (next?.querySelector("[data-name]") ?? part("content")).focus();
  } catch (error) {
    if (error.status !== 404) showFault(error); // else it is gone already
  }
  button.disabled = false;
  look();
}

function showFault(error) {
  part("jobs-fault").textContent = error.message;
  part("jobs-fault").hidden = false;
}

part("older").addEventListener("click", () => {
  pages += 1;
  look();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) look();
});
look();
