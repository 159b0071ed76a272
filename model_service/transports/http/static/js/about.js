// The figures of a model, anew every few seconds while somebody looks at the page. What cannot be fetched stays as it is.

const INTERVAL_MS = 5000;
const FIGURES = "figures";

setInterval(look, INTERVAL_MS);

async function look() {
  if (document.hidden) return;
  try {
    const response = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
    if (!response.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const [shown, fresh] = [document, page].map((one) => one.getElementById(FIGURES));
    if (shown && fresh && shown.innerHTML !== fresh.innerHTML) shown.replaceChildren(...document.adoptNode(fresh).childNodes);
  } catch {
    // The server is away: the next look may find it again.
  }
}
