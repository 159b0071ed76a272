// The predict page: form in, answer out. It joins the modules below form/ and predict/.

import { showCounters, watchFields } from "./form/check.js";
import { clearFaults, hideSummary, showFaults } from "./form/faults.js";
import { findField, readField, resetForm, startFields, writeField } from "./form/fields.js";
import { showSequences, watchSequences } from "./form/sequence.js";
import { parseJson } from "./form/values.js";
import { Answer } from "./predict/answer.js";
import { predict } from "./predict/api.js";
import { startCall } from "./predict/call.js";
import { History } from "./predict/history.js";
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
  const showForm = () => {
    clearFaults(form);
    hideSummary(byId("faults"));
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
    if (byId("as-json").open) byId("json-text").value = JSON.stringify(readPayload(), null, 2);
  };

  const call = startCall(page.predict_path, readPayload);
  const earlier = startEarlier(history, page.output_schema, (entry) => {
    fill(entry.payload);
    answer.showOutputs([{ model: page, result: entry.result }]);
  });

  async function submit() {
    if (byId("predict").disabled) return; // one at a time
    clearFaults(form);
    hideSummary(byId("faults"));
    const faults = [];
    const payload = readPayload(faults);
    if (faults.length > 0) {
      showFaults(byId("faults"), faults);
      return;
    }
    const other = page.compared[byId("compare")?.value || NaN];
    setBusy(true);
    const models = other ? [page, other] : [page];
    const results = await Promise.all(models.map((model) => predict(model.predict_path, payload)));
    setBusy(false);
    const [result] = results;
    if (result.kind === "output") {
      history.add({ at: Date.now(), payload, result });
      earlier.refresh();
    }
    const violations = result.kind === "problem" ? result.problem.errors ?? [] : [];
    answer.showOutputs(results.map((one, i) => ({ model: models[i], result: one })), { retry: submit });
    if (violations.length === 0) {
      byId("answer").scrollIntoView({ block: "nearest" });
    } else {
      showFaults(byId("faults"), violations.map(({ pointer, message }) => ({ field: findField(root, pointer), message })));
    }
  }

  function setBusy(isBusy) {
    byId("predict").disabled = isBusy;
    byId("predict").textContent = isBusy ? "Predicting…" : "Predict";
    byId("answer").setAttribute("aria-busy", String(isBusy));
  }

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
    form.addEventListener(name, () => {
      answer.setStale();
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
  byId("copy-link").addEventListener("click", copyLink);

  const useFragment = () => {
    const shared = readFragment(page.examples);
    if (shared !== undefined) fill(shared);
  };
  addEventListener("hashchange", useFragment);
  showForm();
  useFragment();
}
