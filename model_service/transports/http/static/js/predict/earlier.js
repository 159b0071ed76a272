// The panel "Earlier in this tab": a list of predictions to go back to.

import { element, summarise } from "./result.js";

/** Start the panel; `refresh` draws the list anew. */
export function startEarlier(history, schema, restore) {
  const panel = document.getElementById("earlier");
  const list = document.getElementById("earlier-list");

  function refresh() {
    const entries = history.list();
    panel.hidden = entries.length === 0;
    list.replaceChildren(
      ...entries.map((entry) => {
        const time = new Date(entry.at).toLocaleTimeString();
        const button = element("button", "btn btn-sm btn-link text-start p-0", `${time}: ${summarise(entry.result.output, schema)}`);
        button.type = "button";
        button.addEventListener("click", () => restore(entry));
        return element("li", "", button);
      }),
    );
  }

  document.getElementById("earlier-clear").addEventListener("click", () => {
    history.clear();
    refresh();
  });
  refresh();
  return { refresh };
}
