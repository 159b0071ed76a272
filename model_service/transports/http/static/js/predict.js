// The predict page: form in, answer out. It joins the modules below form/ and predict/.

import { showCounters, watchFields } from "./form/check.js";
import { clearFaults, forgetFault, hideSummary, showFaults } from "./form/faults.js";
import { findField, readField, resetForm, startFields, writeField } from "./form/fields.js";
import { showSequences, watchSequences } from "./form/sequence.js";
import { isEqual, parseJson } from "./form/values.js";
import { Answer } from "./predict/answer.js";
import { predict } from "./predict/api.js";
import { startCall } from "./predict/call.js";
import { Draft, History } from "./predict/history.js";
import { startEarlier } from "./predict/earlier.js";
import { copyText } from "./predict/snippets.js";
import { makeLink, readFragment } from "./predict/share.js";

const byId = (id) => document.getElementById(id);
const form = byId("form");
if (form) start(JSON.parse(byId("content").dataset.page));

function start(page) {
  const root = form.querySelector(".field");
  const answer = new Answer(byId("answer"));
  const history = new History(page.qualified_name, page.version);

  const readPayload = (faults = []) => readField(root, faults) ?? null;
  const summary = byId("faults");
  const draft = new Draft(page.qualified_name, page.version);
  let isJsonEdited = false;

  const showForm = () => {
    clearFaults(form);
    hideSummary(summary);
    showCounters(form);
    showSequences(form);
    call.refresh();
    showJson();
  };
  const fill = (payload) => {
    resetForm(root);
    writeField(root, payload);
    showForm();
    answer.setStale();
  };
  const showJson = () => {
    isJsonEdited = false;
    byId("json-error").hidden = true;
    if (byId("as-json").open) byId("json-text").value = JSON.stringify(readPayload(), null, 2);
  };

  const call = startCall(page.predict_path, readPayload);
  const earlier = startEarlier(history, page.output_schema, (entry) => {
    fill(entry.payload);
    answer.showOutputs([{ model: page, result: entry.result }]);
  });

  let isBusy = false;

  async function submit() {
    if (isBusy || (isJsonEdited && !useJson())) return; // one at a time; what was typed as JSON counts
    clearFaults(form);
    hideSummary(summary);
    const unread = [];
    const payload = readPayload(unread);
    const other = unread.length > 0 ? undefined : page.compared[byId("compare")?.value || NaN];
    setBusy(true);
    const models = other ? [page, other] : [page];
    const results = await Promise.all(models.map((model) => predict(model.predict_path, payload)));
    setBusy(false);
    const faults = [...unread, ...findViolations(results[0], unread)];
    if (faults.length > 0) {
      answer.showMending();
      showFaults(summary, faults);
      return;
    }
    if (results[0].kind === "output") {
      history.add({ at: Date.now(), payload, result: results[0] });
      earlier.refresh();
    }
    answer.showOutputs(results.map((result, i) => ({ model: models[i], result })), { retry: submit });
    byId("answer").scrollIntoView({ block: "nearest" });
  }

  // The server's violations, but for fields whose text could not even be read: they were not sent.
  function findViolations(result, unread) {
    const violations = result.kind === "problem" ? result.problem.errors ?? [] : [];
    return violations
      .map(({ pointer, message }) => ({ ...findField(root, pointer), message }))
      .filter(({ field }) => !unread.some((fault) => fault.field === field))
      .map(({ field, rest, message }) => ({ field, message: rest ? `${rest}: ${message}` : message }));
  }

  // Not `disabled`: that would take the focus away.
  function setBusy(busy) {
    isBusy = busy;
    byId("predict").setAttribute("aria-disabled", String(busy));
    byId("predict").textContent = busy ? "Predicting…" : "Predict";
    byId("answer").setAttribute("aria-busy", String(busy));
  }

  /** Fill the form with the JSON that was typed; false, with a message, when it is none. */
  function useJson() {
    const error = byId("json-error");
    error.hidden = true;
    try {
      const payload = parseJson(byId("json-text").value);
      if (payload === undefined) throw new Error("Enter a JSON object first.");
      fill(payload);
    } catch (fault) {
      error.textContent = fault.message;
      error.hidden = false;
    }
    return error.hidden;
  }

  async function copyLink() {
    const { link, reason } = makeLink(readPayload());
    byId("link-copied").textContent = reason ?? ((await copyText(link)) ? "Copied" : link);
  }

  startFields(form);
  watchFields(form);
  watchSequences(form);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      submit();
    }
  });
  for (const name of ["input", "change"]) {
    form.addEventListener(name, (event) => {
      answer.setStale();
      if (name === "input") forgetFault(summary, event.target.closest(".field"));
      byId("link-copied").textContent = "";
      call.refresh();
      showJson();
    });
  }
  for (const button of document.querySelectorAll("[data-example]")) {
    button.addEventListener("click", () => fill(page.examples[Number(button.dataset.example)]));
  }
  byId("clear").addEventListener("click", () => {
    resetForm(root);
    showForm();
    answer.clear();
  });
  byId("as-json").addEventListener("toggle", showJson);
  byId("json-use").addEventListener("click", useJson);
  byId("json-text").addEventListener("input", () => (isJsonEdited = true));
  byId("copy-link").addEventListener("click", copyLink);

  function useFragment() {
    const { payload, reason } = readFragment(page.examples);
    if (payload !== undefined) fill(payload);
    byId("link-fault").textContent = reason ?? "";
    byId("link-fault").hidden = !reason;
    return payload !== undefined;
  }

  addEventListener("hashchange", useFragment);
  addEventListener("pagehide", () => draft.save(readPayload()));
  showForm();
  const empty = readPayload();
  const kept = draft.load();
  if (!useFragment() && kept !== undefined && !isEqual(kept, empty)) fill(kept);
}
