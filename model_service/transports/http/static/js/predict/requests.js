// The request that is under way. An answer belongs to the input that it was asked for, and the last request counts.

import { predict } from "./api.js";

export class Requests {
  #changes = 0; // of the input so far
  #last = null; // {changes, controller} of the request that is under way

  /** Whether an answer is awaited for the input as it is now. */
  get isAwaited() {
    return this.#last?.changes === this.#changes;
  }

  /** Whether any answer is awaited. */
  get isBusy() {
    return this.#last !== null;
  }

  noteChange() {
    this.#changes += 1;
  }

  /** Give up what is under way. */
  cancel() {
    this.#last?.controller.abort();
    this.#last = null;
  }

  /**
   * Ask models for their answers to a payload, in place of what was asked before.
   * @returns {Promise<{results: object[], isOutdated: boolean} | null>} `null` when the request was given up;
   *   outdated when the input was changed meanwhile.
   */
  async ask(models, payload) {
    this.cancel();
    const own = { changes: this.#changes, controller: new AbortController() };
    this.#last = own;
    const { signal } = own.controller;
    const results = await Promise.all(models.map((model) => predict(model.predict_path, payload, signal)));
    if (signal.aborted) return null;
    this.#last = null;
    return { results, isOutdated: own.changes !== this.#changes };
  }
}
