// From a chosen file to its text: bounds, encoding, and what is no text at all. It knows neither CSV nor JSON.

//: What a tab can hold without trouble. Larger files belong in a job of the server.
export const MAX_BYTES = 50 * 1024 * 1024;
export const MAX_ROWS = 100_000;
const MAX_COLUMNS = 5_000;

// What a person can mend in a file; the message is one sentence for them, with the way out.
export class FileFault extends Error {
  // `isForJob`: the file may be sound, but is not for a tab.
  constructor(message, { isForJob = false } = {}) {
    super(message);
    this.isForJob = isForJob;
  }
}

export function tooManyRows(maxRows) {
  return new FileFault(`The file has more than ${maxRows.toLocaleString("en")} rows; split the file and send its parts one by one.`, { isForJob: true });
}

export function checkColumns(count) {
  if (count > MAX_COLUMNS) {
    throw new FileFault(`The file has more than ${MAX_COLUMNS.toLocaleString("en")} columns; keep those that the model reads.`);
  }
}

const ZIP = [0x50, 0x4b, 0x03, 0x04];
const UTF16 = [
  [0xff, 0xfe],
  [0xfe, 0xff],
];

export async function readText(file) {
  if (file.size > MAX_BYTES) {
    throw new FileFault(`The file is larger than ${MAX_BYTES / 1024 / 1024} MB; split the file and send its parts one by one.`, { isForJob: true });
  }
  let bytes;
  try {
    bytes = new Uint8Array(await file.arrayBuffer());
  } catch {
    throw new FileFault("The file cannot be read, perhaps because it was changed or is a folder; choose it again.");
  }
  return decodeText(bytes);
}

export function decodeText(bytes) {
  if (startsWith(bytes, ZIP)) {
    throw new FileFault("This is a spreadsheet or an archive, not a text file; save the sheet as “CSV UTF-8” and choose that.");
  }
  if (UTF16.some((mark) => startsWith(bytes, mark))) {
    throw new FileFault("The file is UTF-16, not UTF-8; save it as “CSV UTF-8” and choose it again.");
  }
  if (bytes.includes(0)) {
    throw new FileFault("The file is binary, not text; choose a CSV or JSON lines file.");
  }
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes); // drops a byte order mark
  } catch {
    throw new FileFault("The file is not UTF-8 text; save it with the encoding UTF-8 and choose it again.");
  }
  if (!text.trim()) throw new FileFault("The file is empty; choose one with a header and at least one row.");
  return text;
}

function startsWith(bytes, mark) {
  return mark.every((byte, i) => bytes[i] === byte);
}
