// The panel "Copy the call": the snippet of the chosen language for what is in the form.

import { copyText, SNIPPETS } from "./snippets.js";

/** Start the panel; `refresh` writes the snippet anew. */
export function startCall(path, readPayload) {
  const panel = document.getElementById("call");
  const languages = document.getElementById("languages");
  const snippet = document.getElementById("snippet");
  const copied = document.getElementById("call-copied");
  let language = Object.keys(SNIPPETS)[0];

  function refresh() {
    copied.textContent = "";
    if (!panel.open) return;
    snippet.textContent = SNIPPETS[language](location.origin + path, readPayload(), "needsKey" in panel.dataset);
    for (const button of languages.children) {
      const isChosen = button.textContent === language;
      button.setAttribute("aria-pressed", String(isChosen));
      button.classList.toggle("active", isChosen);
    }
  }

  for (const name of Object.keys(SNIPPETS)) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn btn-sm btn-outline-secondary";
    button.textContent = name;
    button.addEventListener("click", () => {
      language = name;
      refresh();
    });
    languages.append(button);
  }
  panel.addEventListener("toggle", refresh);
  document.getElementById("copy-call").addEventListener("click", async () => {
    copied.textContent = (await copyText(snippet.textContent)) ? "Copied" : "Select the text and copy it.";
  });
  return { refresh };
}
