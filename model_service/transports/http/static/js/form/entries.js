// The entries of an array: added, removed and moved by buttons, and by Alt with the arrow keys.

let clones = 0;

const listOf = (field) => field.querySelector(":scope > [data-body] > [data-entries]");

/** The field of each entry, in order. */
export function entriesOf(field) {
  return [...(listOf(field)?.children ?? [])].map((entry) => entry.querySelector(".field"));
}

const toolsOf = new WeakMap();

export function startEntries(field, tools) {
  toolsOf.set(field, tools);
  const add = field.querySelector(":scope > [data-body] > [data-add]");
  add.addEventListener("click", () => {
    const entry = addEntry(field);
    entry.querySelector("input, select, textarea")?.focus();
    changed(field);
  });
  listOf(field).addEventListener("click", (event) => {
    const button = event.target.closest("button");
    const entry = button?.closest(".entry");
    if (!entry || entry.parentElement !== listOf(field)) return; // of an array inside this one
    if (button.dataset.move) moveEntry(field, entry, Number(button.dataset.move), button);
    else if (button.dataset.remove !== undefined) removeEntry(field, entry, add);
  });
  listOf(field).addEventListener("keydown", (event) => {
    const step = event.altKey ? { ArrowUp: -1, ArrowDown: 1 }[event.key] : undefined;
    const entry = event.target.closest(".entry");
    if (!step || entry?.parentElement !== listOf(field)) return;
    event.preventDefault();
    moveEntry(field, entry, step, event.target);
  });
  addLeastEntries(field);
  showBounds(field);
}

/** An array that may be left out starts empty; one that must be given starts with the entries it needs. */
export function addLeastEntries(field) {
  if (field.dataset.required === undefined || field.dataset.widget !== "array") return;
  while (entriesOf(field).length < Number(field.dataset.minEntries)) addEntry(field);
}

/** Append an empty entry and return its element. */
export function addEntry(field) {
  const template = field.querySelector(":scope > [data-body] > template[data-entry]");
  const entry = template.content.firstElementChild.cloneNode(true);
  nameApart(entry, (clones += 1));
  listOf(field).append(entry);
  toolsOf.get(field).startFields(entry);
  showBounds(field);
  return entry;
}

/** Make the entries hold these values. */
export function writeEntries(field, values, writeField) {
  if (!listOf(field)) return;
  listOf(field).replaceChildren();
  for (const value of values) writeField(addEntry(field).querySelector(".field"), value);
  showBounds(field);
}

function moveEntry(field, entry, step, focused) {
  const other = step < 0 ? entry.previousElementSibling : entry.nextElementSibling;
  if (!other) return;
  if (step < 0) other.before(entry);
  else other.after(entry);
  showBounds(field);
  (focused.disabled ? entry.querySelector("button:not(:disabled)") : focused)?.focus();
  changed(field);
}

function removeEntry(field, entry, add) {
  const next = entry.nextElementSibling ?? entry.previousElementSibling;
  entry.remove();
  showBounds(field);
  (next?.querySelector("[data-remove]:not(:disabled)") ?? add).focus();
  changed(field);
}

const changed = (field) => field.dispatchEvent(new Event("input", { bubbles: true }));

// The server judges how many there may be; a button that could only lead to a refusal is off.
function showBounds(field) {
  const entries = [...listOf(field).children];
  const places = field.querySelectorAll(":scope > [data-body] > [data-place]").length;
  const most = Number(field.dataset.maxEntries ?? Infinity) - places;
  field.querySelector(":scope > [data-body] > [data-add]").disabled = entries.length >= most;
  entries.forEach((entry, i) => {
    const tools = entry.querySelector(":scope > .entry-tools");
    tools.setAttribute("aria-label", `Entry ${i + 1}`);
    tools.querySelector("[data-move='-1']").disabled = i === 0;
    tools.querySelector("[data-move='1']").disabled = i === entries.length - 1;
  });
}

// What names and refers to elements inside a copy must be unique to the copy.
function nameApart(entry, number) {
  for (const element of [entry, ...entry.querySelectorAll("*")]) {
    for (const name of ["id", "for", "name", "aria-describedby"]) {
      const value = element.getAttribute(name);
      if (value) element.setAttribute(name, value.split(" ").map((id) => `${id}-${number}`).join(" "));
    }
  }
  for (const template of entry.querySelectorAll("template")) nameApart(template.content.firstElementChild, number);
}
