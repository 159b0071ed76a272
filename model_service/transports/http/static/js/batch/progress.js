// How far the sending is, as a bar and a sentence; spoken only at each quarter and when the state changes.
import { countOf, element, formatCount } from "./elements.js";

export class Progress {
  #spoken = 0;
  #started_ms = 0;
  #before = 0; // rows done when the present run began
  #time = ""; // of the day, when it began

  constructor(root, announce) {
    this.bar = root.querySelector(".progress-bar");
    this.track = root.querySelector(".progress");
    this.text = root.querySelector("[data-text]");
    this.notice = root.querySelector("[data-notice]");
    this.announce = announce;
  }

  start(results, now_ms = performance.now()) {
    [this.#started_ms, this.#before, this.#spoken] = [now_ms, results.done, 0];
    this.#time = new Date().toLocaleTimeString();
  }

  show(results, sender, { wait_s = 0, now_ms = performance.now() } = {}) {
    const [total, share] = [results.table.length, results.done / results.table.length];
    const isRunning = sender.state === "running";
    const rate = ((results.done - this.#before) * 1000) / Math.max(1, now_ms - this.#started_ms);
    this.bar.style.width = `${100 * share}%`;
    this.bar.classList.toggle("progress-bar-animated", isRunning);
    this.bar.classList.toggle("progress-bar-striped", isRunning);
    this.track.setAttribute("aria-valuenow", String(Math.floor(100 * share)));
    const sentence = describeProgress({ done: results.done, total, failed: results.failed, rate: isRunning ? rate : 0 });
    this.track.setAttribute("aria-valuetext", sentence);
    this.text.textContent = sentence;
    this.#notify(noticeOf(sender, wait_s, this.#time));
    const quarter = Math.floor(4 * share);
    if (quarter > this.#spoken && isRunning) this.announce(sentence);
    this.#spoken = Math.max(this.#spoken, quarter);
  }

  // The notice is an alert of its own, so it is spoken once when it comes, not at each second of a wait.
  #notify({ text, kind }) {
    if (this.notice.dataset.kind !== kind) {
      this.notice.dataset.kind = kind;
      this.notice.replaceChildren(...(kind ? [element("div", { class: `alert alert-${kind} mt-3 mb-0` })] : []));
      if (text) this.announce(text);
    }
    if (text) this.notice.firstChild.textContent = text;
  }
}

function noticeOf(sender, wait_s, time) {
  if (sender.state === "paused") return { text: `Paused. ${sender.reason} Last try at ${time}.`, kind: "warning" };
  if (sender.state === "cancelled") return { text: "Cancelled. What is done is kept; the other rows are not sent.", kind: "secondary" };
  if (wait_s) return { text: `The server is busy, trying again in ${wait_s} s.`, kind: "info" };
  return { text: "", kind: "" };
}

export function describeProgress({ done, total, failed, rate }) {
  const parts = [`${formatCount(done)} of ${countOf(total, "row")}`];
  if (failed) parts.push(`${formatCount(failed)} with errors`);
  if (rate > 0 && done < total) {
    parts.push(`${rate < 10 ? rate.toFixed(1) : formatCount(Math.round(rate))} rows/s`);
    parts.push(`${describeDuration((total - done) / rate)} left`);
  }
  return parts.join(", ");
}

export function describeDuration(seconds) {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}
