// The place of the answer: one output, two side by side, or why there is none.

import { explain } from "./api.js";
import { drawResult, element } from "./result.js";
import { drawWhy } from "./why.js";

export class Answer {
  constructor(place) {
    this.place = place;
    this.empty = [...place.childNodes];
  }

  clear() {
    this.place.classList.remove("is-stale");
    this.place.replaceChildren(...this.empty);
  }

  /** Say that what is shown answers other values than those in the form. */
  setStale() {
    if (this.place.querySelector(".result") === null || this.place.classList.contains("is-stale")) return;
    this.place.classList.add("is-stale");
    this.place.prepend(element("p", "stale-note", "This answer belongs to an earlier input."));
  }

  /** Say in a sentence why there is no answer. */
  showNone(sentence) {
    this.place.classList.remove("is-stale");
    this.place.replaceChildren(element("div", "alert alert-secondary mb-0", sentence));
  }

  /**
   * Show the results of one model, or of two side by side.
   * @param {{model: object, result: object}[]} results
   * @param {object} payload What they answer.
   * @param {{retry?: () => void}} options
   */
  showOutputs(results, payload, { retry } = {}) {
    this.place.classList.remove("is-stale");
    const drawn = results.map(({ model, result }) => {
      const content = result.kind === "output" ? drawResult(result, model.output_schema) : drawProblem(result, retry);
      if (result.kind === "output" && model.explain_path) content.append(drawWhy(model, payload));
      if (results.length === 1) return content;
      const heading = element("h3", "h6", `${model.display_name} ${model.version}`);
      return element("div", "col-sm-6", heading, content);
    });
    this.place.replaceChildren(...(results.length === 1 ? drawn : [element("div", "row g-3", ...drawn)]));
  }
}

function drawProblem(result, retry) {
  const { title, detail, requestId } = explain(result);
  const box = element("div", "alert alert-warning mb-0", element("p", "fw-semibold mb-1", title));
  const sentences = (result.problem?.errors ?? []).map(({ pointer, message }) => `${pointer.slice(1)}: ${message}`);
  box.append(element("p", "mb-1 text-break", [detail, ...sentences].filter(Boolean).join("; ")));
  if (requestId) box.append(element("p", "small mb-1", `Request id ${requestId}`));
  if (retry) {
    const again = element("button", "btn btn-sm btn-outline-secondary mt-1", "Try again");
    again.type = "button";
    again.addEventListener("click", retry);
    box.append(again);
  }
  return box;
}
