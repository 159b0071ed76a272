// The predict page: form in, answer out. It joins the modules below form/ and predict/.

import { showCounters, watchFields } from "./form/check.js";
import { clearFaults, forgetFault, hideSummary, showFaults } from "./form/faults.js";
import { findField, readField, resetForm, startFields, writeField } from "./form/fields.js";
import { showSequences, watchSequences } from "./form/sequence.js";
import { readTexts, writeTexts } from "./form/unread.js";
import { isEqual } from "./form/values.js";
import { readJson } from "./json.js";
import { Answer } from "./predict/answer.js";
import { startCall } from "./predict/call.js";
import { startEarlier } from "./predict/earlier.js";
import { Draft, History } from "./predict/history.js";
import { startJsonPanel } from "./predict/json_panel.js";
import { Requests } from "./predict/requests.js";
import { hasInput, makeLink, readFragment } from "./predict/share.js";
import { copyText } from "./predict/snippets.js";

const byId = (id) => document.getElementById(id);
const form = byId("form");
start(readJson(byId("content").dataset.page));

function start(page) {
  const root = form.querySelector(".field");
  const summary = byId("faults");
  const answer = new Answer(byId("answer"));
  const requests = new Requests();
  const history = new History(page.qualified_name, page.version);
  const draft = new Draft(page.qualified_name, page.version);

  const readPayload = (faults = []) => readField(root, faults) ?? null;

  const call = startCall(page.predict_path, readPayload);
  const json = startJsonPanel(readPayload, { fill: (payload) => fill(payload), onInput: noteChange });
  const earlier = startEarlier(history, page.output_schema, (entry) => {
    json.takeBack();
    fill(entry.payload);
    requests.cancel();
    showBusy();
    answer.showOutputs([{ model: page, result: entry.result }], entry.payload);
  });

  // What is shown answers the input from before; a later edit also wins over the link that the page was opened with.
  function noteChange() {
    requests.noteChange();
    answer.setStale();
    showBusy();
    byId("link-copied").textContent = "";
    if (hasInput(location.hash) && keepDraft()) window.history.replaceState(window.history.state, "", location.pathname);
  }

  function put(payload) {
    resetForm(root);
    writeField(root, payload);
    showForm();
  }

  function fill(payload) {
    put(payload);
    noteChange();
  }

  function showForm() {
    clearFaults(form);
    hideSummary(summary);
    showCounters(form);
    showSequences(form);
    call.refresh();
    json.show();
  }

  async function submit() {
    if (!json.isUsed() || requests.isAwaited) return;
    clearFaults(form);
    hideSummary(summary);
    const unread = [];
    const payload = readPayload(unread);
    const other = unread.length > 0 ? undefined : page.compared[byId("compare")?.value || NaN];
    const models = other ? [page, other] : [page];
    const asked = requests.ask(models, payload);
    showBusy();
    const answered = await asked;
    if (!answered) return;
    showBusy();
    const { results, isOutdated } = answered;
    const faults = [...unread, ...findViolations(results[0], unread)];
    if (faults.length > 0) showRefusal(faults, isOutdated);
    else showAnswer(payload, models, results, isOutdated);
  }

  function showRefusal(faults, isOutdated) {
    if (isOutdated) {
      answer.showNone("The input was changed before the answer came. Press Predict for the new values.");
      return;
    }
    answer.showNone("No answer yet. Fix the marked fields, then press Predict.");
    showFaults(summary, faults);
  }

  function showAnswer(payload, models, results, isOutdated) {
    if (results[0].kind === "output") {
      history.add({ at: Date.now(), payload, result: results[0] });
      earlier.refresh();
    }
    answer.showOutputs(results.map((result, i) => ({ model: models[i], result })), payload, { retry: submit });
    if (isOutdated) answer.setStale();
    else byId("answer").scrollIntoView({ block: "nearest" });
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
  function showBusy() {
    byId("predict").setAttribute("aria-disabled", String(requests.isAwaited));
    byId("predict").textContent = requests.isAwaited ? "Predicting…" : "Predict";
    byId("answer").setAttribute("aria-busy", String(requests.isBusy));
  }

  function keepDraft() {
    const faults = [];
    const payload = readPayload(faults);
    return draft.save({ payload, texts: readTexts(root, faults), json: json.getUnread() });
  }

  function useDraft() {
    const empty = readPayload();
    const kept = draft.load();
    if (kept === undefined) return;
    if (!isEqual(kept.payload, empty)) put(kept.payload);
    writeTexts(root, kept.texts);
    if (kept.json !== undefined) json.putUnread(kept.json);
  }

  function useFragment() {
    const { payload, reason } = readFragment(page.examples);
    byId("link-fault").textContent = reason ?? "";
    byId("link-fault").hidden = !reason;
    if (payload === undefined) return false;
    json.takeBack();
    put(payload);
    requests.noteChange();
    answer.setStale();
    showBusy();
    return true;
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
  for (const part of [form, byId("as-json")]) {
    part.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      submit();
    });
  }
  for (const name of ["input", "change"]) {
    form.addEventListener(name, (event) => {
      const field = event.target.closest(".field");
      if (!field) return; // what is compared is no input
      if (name === "input") forgetFault(summary, field);
      noteChange();
      call.refresh();
      json.show();
    });
  }
  for (const button of document.querySelectorAll("[data-example]")) {
    button.addEventListener("click", () => {
      json.takeBack();
      fill(page.examples[Number(button.dataset.example)]);
    });
  }
  byId("clear").addEventListener("click", () => {
    resetForm(root);
    json.takeBack();
    showForm();
    requests.cancel();
    noteChange();
    answer.clear();
  });
  byId("copy-link").addEventListener("click", copyLink);
  addEventListener("hashchange", useFragment);
  addEventListener("pagehide", keepDraft);
  showForm();
  if (!useFragment()) useDraft();
  byId("predict").disabled = false;
}
