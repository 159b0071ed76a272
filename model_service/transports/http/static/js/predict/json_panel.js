// The panel "Input as JSON" shows what is in the form, and what is typed there goes into the form as soon as it is an
// object. A text that is none stays, with its fault, until it is mended or taken back.

import { parseJson } from "../form/values.js";
import { writeJson } from "../json.js";

/** Start the panel; `fill` puts a payload into the form. */
export function startJsonPanel(readPayload, { fill, onInput }) {
  const panel = document.getElementById("as-json");
  const text = document.getElementById("json-text");
  const error = document.getElementById("json-error");
  const back = document.getElementById("json-back");
  let fault = ""; // why the text is not in the form
  let isTyping = false;

  /** Show what is in the form, unless the person is at the text or it waits to be mended. */
  function show() {
    if (panel.open && !isTyping && !fault) text.value = writeJson(readPayload(), 2);
  }

  function tell(sentence) {
    error.textContent = sentence;
    error.hidden = back.hidden = sentence === "";
    text.classList.toggle("is-invalid", sentence !== "");
    if (sentence) text.setAttribute("aria-invalid", "true");
    else text.removeAttribute("aria-invalid");
  }

  function read() {
    fault = "";
    try {
      const payload = parseJson(text.value);
      if (payload !== null && typeof payload === "object" && !Array.isArray(payload)) return payload;
      fault = 'This is no JSON object. Write the fields between braces, as in {"name": "value"}.';
    } catch ({ message }) {
      fault = message;
    }
    return undefined;
  }

  /** Forget what was typed and show what is in the form. */
  function takeBack() {
    [fault, isTyping] = ["", false];
    tell("");
    show();
  }

  /** Whether all that was typed is in the form; if not, the panel says why. */
  function isUsed() {
    if (!fault) return true;
    panel.open = true;
    tell(fault);
    text.focus();
    return false;
  }

  text.addEventListener("input", () => {
    isTyping = true;
    const payload = read();
    if (payload !== undefined) {
      tell("");
      fill(payload);
    }
    onInput();
  });
  text.addEventListener("blur", () => {
    isTyping = false;
    tell(fault);
    show();
  });
  back.addEventListener("click", () => {
    takeBack();
    text.focus();
  });
  panel.addEventListener("toggle", () => (panel.open ? show() : isUsed()));
  return {
    show,
    takeBack,
    isUsed,
    /** The text that waits to be mended, or nothing. */
    getUnread: () => (fault ? text.value : undefined),
    putUnread(typed) {
      text.value = typed;
      read();
      panel.open = true;
      tell(fault);
    },
  };
}
