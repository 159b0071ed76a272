// A page that shows a loading model asks for itself again until no model is loading. What is new takes the place of what
// was there, part by part, so that the focus, the search and the place in the page stay.

const INTERVAL_MS = 2000;
const isLoading = () => document.querySelector("[data-loading]") !== null;
const parts = [...document.querySelectorAll("[data-live]")];
const shown = new Map(parts.map((part) => [part, part.innerHTML])); // as the server wrote it

if (isLoading()) setTimeout(look, INTERVAL_MS);

async function look() {
  const page = await fetchPage();
  if (page) await update(page);
  if (isLoading()) setTimeout(look, INTERVAL_MS);
}

/** The page as it is now; nothing while the server cannot be reached or answers with something else. */
async function fetchPage() {
  try {
    const response = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
    return new DOMParser().parseFromString(await response.text(), "text/html");
  } catch {
    return null;
  }
}

async function update(page) {
  const changed = parts.filter((part) => {
    const fresh = page.getElementById(part.id);
    return fresh && fresh.innerHTML !== shown.get(part);
  });
  if (changed.length === 0) return;
  await loadStyles(page);
  document.title = page.title;
  const [content, fresh] = [document, page].map((one) => one.getElementById("content"));
  if (fresh.dataset.page) content.dataset.page = fresh.dataset.page;
  const news = changed.filter((part) => replace(part, page.getElementById(part.id))).map((part) => part.dataset.news);
  document.dispatchEvent(new Event("parts-changed"));
  await runScripts(page);
  if (news.length > 0) document.getElementById("news").textContent = news.join(" ");
}

/** Show what is new in a part; true when its model was loading and no longer is. */
function replace(part, fresh) {
  const wasLoading = part.querySelector("[data-loading]") !== null;
  shown.set(part, fresh.innerHTML);
  for (const { name, value } of fresh.attributes) if (name.startsWith("data-")) part.setAttribute(name, value);
  keepingFocus(part, () => part.replaceChildren(...document.adoptNode(fresh).childNodes));
  return wasLoading && part.querySelector("[data-loading]") === null;
}

// The focus goes to what took the place of the element that had it.
function keepingFocus(part, change) {
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  change();
  if (!focused) return;
  const links = [...part.querySelectorAll("a, button")];
  const same = links.find((link) => link.textContent === focused.textContent) ?? links[0];
  same?.focus({ preventScroll: true });
}

// A page whose model is ready has styles and scripts that the page of a loading one lacks.
function loadStyles(page) {
  const isThere = (style) => document.head.querySelector(`link[href="${CSS.escape(style.getAttribute("href"))}"]`);
  const missing = [...page.head.querySelectorAll("link[rel=stylesheet]")].filter((style) => !isThere(style));
  const loaded = missing.map((style) => {
    const added = document.adoptNode(style);
    document.head.append(added);
    return new Promise((resolve) => (added.onload = added.onerror = resolve));
  });
  return Promise.all(loaded);
}

// Those that ran already do not run again.
function runScripts(page) {
  return Promise.all([...page.head.querySelectorAll("script[type=module]")].map((script) => import(script.getAttribute("src"))));
}
