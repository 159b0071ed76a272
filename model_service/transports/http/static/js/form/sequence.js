// Sequence fields: pasted FASTA, and letters that do not belong, marked with their position.

const MOST_MARKED = 5;

export function watchSequences(form) {
  form.addEventListener("paste", (event) => {
    const input = event.target;
    if (!input.matches?.(".sequence")) return;
    const text = event.clipboardData.getData("text");
    const records = readFasta(text);
    const letters = records ? records[0].letters : text.replace(/\s/g, ""); // a sequence is often wrapped
    if (letters === text) return;
    event.preventDefault();
    input.setRangeText(letters, input.selectionStart, input.selectionEnd, "end");
    input.dispatchEvent(new Event("input", { bubbles: true }));
    if (records) note(input, describeRecords(records));
  });
  form.addEventListener("input", (event) => {
    if (event.target.matches?.(".sequence")) showStrangers(event.target);
  });
  // A record that was typed or dropped is read when the person leaves the field, as a pasted one is.
  form.addEventListener("change", (event) => {
    const input = event.target;
    if (!input.matches?.(".sequence")) return;
    const records = readFasta(input.value);
    if (!records) return;
    input.value = records[0].letters;
    input.dispatchEvent(new Event("input", { bubbles: true }));
    note(input, describeRecords(records));
  });
}

/** Show the faults of all sequences, after they were filled. */
export function showSequences(form) {
  for (const input of form.querySelectorAll(".sequence")) showStrangers(input);
}

/** The records of a FASTA text; null when it is none. */
export function readFasta(text) {
  if (!text.trimStart().startsWith(">")) return null;
  return text
    .trim()
    .split(/^>/m)
    .slice(1)
    .map((record) => {
      const [name, ...lines] = record.split(/\r\n?|\n/);
      return { name: name.trim(), letters: lines.filter((line) => !line.startsWith(";")).join("").replace(/\s/g, "") };
    });
}

/** Each letter outside the alphabet with its position, counted from 1 without white space and FASTA header. */
export function findStrangers(text, alphabet) {
  const letters = [...text.replace(/^\s*>[^\n]*\n?/, "").replace(/\s/g, "")];
  const known = new Set(alphabet.toUpperCase() + alphabet.toLowerCase());
  return letters.map((letter, i) => ({ letter, position: i + 1 })).filter(({ letter }) => !known.has(letter));
}

function describeRecords(records) {
  const name = records[0].name ? ` '${records[0].name.slice(0, 60)}'` : "";
  if (records.length === 1) return `The header${name} was left out.`;
  return `${records.length} records were pasted; the first${name} was taken. The Files page takes them all.`;
}

function showStrangers(input) {
  const alphabet = input.dataset.alphabet;
  const strangers = findStrangers(input.value, alphabet);
  if (strangers.length === 0) {
    note(input, "");
    return;
  }
  const named = strangers.slice(0, MOST_MARKED).map(({ letter, position }) => `${letter} at ${position}`);
  const more = strangers.length > MOST_MARKED ? ` and ${strangers.length - MOST_MARKED} more` : "";
  note(input, `Not one of ${[...alphabet].join(" ")}: ${named.join(", ")}${more}. `, strangers[0]);
}

function note(input, text, stranger) {
  const place = input.closest(".field").querySelector("[data-sequence-faults]");
  place.textContent = text;
  place.classList.toggle("is-wrong", stranger !== undefined);
  if (!stranger) return;
  const show = document.createElement("button");
  show.type = "button";
  show.className = "btn btn-sm btn-link p-0 align-baseline";
  show.textContent = "Show the first";
  show.addEventListener("click", () => select(input, stranger.position));
  place.append(show);
}

// Select the letter at a position that was counted without white space and header.
function select(input, position) {
  const header = /^\s*>[^\n]*\n?/.exec(input.value)?.[0].length ?? 0;
  let left = position;
  for (let i = header; i < input.value.length; i += 1) {
    if (/\s/.test(input.value[i])) continue;
    left -= 1;
    if (left === 0) {
      input.focus();
      input.setSelectionRange(i, i + 1);
      return;
    }
  }
}
