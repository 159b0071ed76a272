// Asks before something is lost.

/** Whether the person agrees; who leaves the question unanswered does not, and a signal that aborts takes it back. */
export function ask(dialog, sentence, signal) {
  dialog.querySelector("p").textContent = sentence;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", function settle() {
      if (dialog.open) return; // the event of a question before this one
      dialog.removeEventListener("close", settle);
      resolve(dialog.returnValue === "yes");
    });
    signal.addEventListener("abort", () => {
      resolve(false);
      dialog.close();
    }, { once: true });
  });
}
