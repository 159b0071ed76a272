// The list of models: narrowed by typing.
const search = document.getElementById("search");
const entries = [...document.querySelectorAll("#models > li")];

function narrow() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const entry of entries) {
    entry.hidden = !words.every((word) => entry.dataset.search.includes(word));
    shown += entry.hidden ? 0 : 1;
  }
  document.getElementById("no-match").hidden = shown > 0;
}

if (search) {
  search.addEventListener("input", narrow);
  document.addEventListener("parts-changed", narrow); // a model that was loading has its description now
}
