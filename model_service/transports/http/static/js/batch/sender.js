// Sends the rows of a table in chunks and hands each row its output or its faults. It knows no file and no page: whoever
// runs rows elsewhere (a job of the server, say) needs `run`, `cancel`, `state` and `reason`, and the same four reports.
//
// Rows of a request succeed or fail alone. A chunk is halved only where the request as a whole is too large or too slow, or
// a row is no strict JSON. Chunks grow while answers come quickly, so that progress shows with slow models and round
// trips are few with quick ones.
import { faultsOf, postRows } from "./predict_call.js";

const MAX_CHUNK_ROWS = 500;
const FIRST_CHUNK_ROWS = 32;
const QUICK_MS = 1000;
const SLOW_MS = 4000;
const MAX_IN_FLIGHT = 2;
const MAX_BUSY_ANSWERS = 5;
//: A model that fails on this many rows in a row fails on all.
const MAX_FAILURES_IN_A_ROW = 100;
const FAULTS_OF_MODELS = new Set(["prediction_failed", "output_invalid"]);

export class Sender {
  state = "ready"; // running, paused, cancelled, done
  reason = ""; // why it paused
  #next = 0; // the first row that was never cut into a chunk
  #left = []; // chunks to send again
  #size = FIRST_CHUNK_ROWS;
  #busyAnswers = 0;
  #failures = 0;
  #abort = new AbortController();
  #waiting = null;
  #ended = null;
  #rows;
  #write;
  #path;
  #limit;
  #maxBytes;
  #reports;

  // rows: numbers of the rows to send; write(row): its JSON text;
  // reports: {onOutput(row, output), onFaults(row, faults), onWait(seconds), onChange()}.
  constructor({ path, rows, write, maxRows, maxBytes, reports }) {
    this.#rows = rows;
    this.#write = write;
    this.#path = path;
    this.#limit = Math.min(MAX_CHUNK_ROWS, maxRows);
    this.#maxBytes = maxBytes;
    this.#reports = reports;
  }

  // Runs until everything is sent, or it is paused or cancelled; then it can be called again to go on.
  async run() {
    await this.#ended; // what was in flight when it stopped
    [this.state, this.reason, this.#busyAnswers, this.#failures] = ["running", "", 0, 0];
    this.#abort = new AbortController();
    this.#reports.onChange();
    this.#ended = Promise.all(Array.from({ length: MAX_IN_FLIGHT }, () => this.#work()));
    await this.#ended;
    if (this.state === "running") this.state = "done";
    this.#reports.onChange();
  }

  cancel() {
    this.#stop("cancelled", "");
  }

  // What is in flight is given up and sent again later: a prediction changes nothing on the server.
  #stop(state, reason) {
    if (this.state !== "running") return;
    [this.state, this.reason] = [state, reason];
    this.#abort.abort();
    this.#reports.onChange();
  }

  async #work() {
    while (this.state === "running") {
      const chunk = this.#left.pop() ?? this.#cut();
      if (!chunk.length) return;
      const rest = await this.#send(chunk);
      this.#left.push(...rest.filter((part) => part.length).reverse());
      this.#reports.onChange();
    }
  }

  #cut() {
    const chunk = [];
    let bytes = 2; // the brackets
    while (chunk.length < Math.min(this.#size, this.#limit) && this.#next < this.#rows.length) {
      const row = this.#rows[this.#next];
      const text = this.#write(row);
      const length = new TextEncoder().encode(text).length + 1;
      if (length + 2 > this.#maxBytes) {
        this.#fail(row, `the row is larger than the ${this.#maxBytes} bytes that the server accepts`);
      } else if (bytes + length > this.#maxBytes) {
        break;
      } else {
        chunk.push({ row, text });
        bytes += length;
      }
      this.#next += 1;
    }
    return chunk;
  }

  // Returns the chunks that must be sent again.
  async #send(chunk) {
    await this.#waiting;
    if (this.state !== "running") return [chunk];
    const { signal } = this.#abort;
    const started = performance.now();
    const answer = await postRows(this.#path, `[${chunk.map(({ text }) => text).join(",")}]`, signal);
    if (signal.aborted) return [chunk];
    return this.#settle(chunk, answer, performance.now() - started);
  }

  #settle(chunk, answer, took_ms) {
    const { status, document } = answer;
    if (status === 429 || status === 503) return this.#wait(chunk, answer);
    this.#busyAnswers = 0;
    if (status === 200 && isAnswer(document, chunk.length)) return this.#accept(chunk, document, took_ms);
    if (status === 413 || status === 504) this.#size = Math.max(1, Math.floor(chunk.length / 2));
    if ([400, 413, 504].includes(status)) return this.#halve(chunk, answer);
    this.#stop("paused", explain(answer));
    return [chunk];
  }

  #accept(chunk, answers, took_ms) {
    chunk.forEach(({ row }, i) => {
      const { output, error } = answers[i];
      if (error) this.#reports.onFaults(row, faultsOf(error));
      else this.#reports.onOutput(row, output);
      this.#count(error);
    });
    if (took_ms > SLOW_MS) this.#size = Math.max(1, Math.floor(this.#size / 2));
    else if (took_ms < QUICK_MS) this.#size = Math.min(this.#limit, this.#size * 2);
    return [];
  }

  // Stops when the model fails again and again; what is wrong with a row is no fault of the model.
  #count(error) {
    if (!error) this.#failures = 0;
    else if (FAULTS_OF_MODELS.has(error.code)) this.#failures += 1;
    if (this.#failures >= MAX_FAILURES_IN_A_ROW) {
      this.#stop("paused", `${MAX_FAILURES_IN_A_ROW} rows failed one after the other, so the model may be at fault. Resume to go on anyway.`);
    }
  }

  #halve(chunk, answer) {
    if (chunk.length > 1) {
      const middle = Math.ceil(chunk.length / 2);
      return [chunk.slice(0, middle), chunk.slice(middle)];
    }
    const [only] = chunk;
    if (answer.status === 504 && !only.wasLate) {
      // Perhaps it only waited for the model to come back after a neighbour had been given up.
      only.wasLate = true;
      return [chunk];
    }
    this.#fail(only.row, answer.document?.detail ?? `the server answered ${answer.status}`);
    return [];
  }

  #fail(row, message) {
    this.#reports.onFaults(row, [{ field: "", message }]);
  }

  async #wait(chunk, { retryAfter_s }) {
    if (!this.#waiting) {
      this.#busyAnswers += 1;
      if (this.#busyAnswers > MAX_BUSY_ANSWERS) {
        this.#stop("paused", "The server stayed busy or is not ready. Resume to try again.");
        return [chunk];
      }
      this.#waiting = this.#countDown(retryAfter_s);
    }
    await this.#waiting;
    return [chunk];
  }

  async #countDown(seconds) {
    for (let left = seconds; left > 0 && this.state === "running"; left -= 1) {
      this.#reports.onWait(left);
      await pause(1000, this.#abort.signal);
    }
    this.#waiting = null;
    this.#reports.onWait(0);
  }
}

// Each row has its output or its error; a proxy that drops the header `Prefer` would bring something else.
function isAnswer(document, count) {
  return Array.isArray(document) && document.length === count && document.every((answer) => answer?.output || answer?.error);
}

function explain({ status, document }) {
  // A server that is stopped in the middle, or a proxy before it, has no words of ours.
  if (!status || (status >= 500 && !document)) return "The connection to the server failed. What is done is kept; resume when the server can be reached.";
  if (status === 200) return "The server's answer does not fit what was sent. Resume to try again.";
  return `The server answered ${status}: ${document?.detail ?? "it gave no reason"}. Resume to try again.`;
}

function pause(duration_ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, duration_ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}
