// One request of rows to the predict view, and what came back as plain values. It decides nothing.
import { readJson } from "../json.js";

//: Seconds to wait when a busy server does not say how long, and the longest that is waited at once.
const DEFAULT_WAIT_S = 1;
const LONGEST_WAIT_S = 60;

// {status, document, retryAfter_s}; status 0 means that no answer came, document null that it was no JSON.
export async function postRows(path, body, signal) {
  let response;
  let text;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { Accept: "application/json", "Content-Type": "application/json", Prefer: "handling=lenient" },
      body,
      signal,
    });
    text = await response.text();
  } catch {
    return { status: 0, document: null, retryAfter_s: 0 };
  }
  return { status: response.status, document: parseOrNull(text), retryAfter_s: waitOf(response) };
}

function parseOrNull(text) {
  try {
    return readJson(text);
  } catch {
    return null;
  }
}

function waitOf(response) {
  const seconds = Math.ceil(Number(response.headers.get("Retry-After")));
  return seconds > 0 ? Math.min(seconds, LONGEST_WAIT_S) : DEFAULT_WAIT_S;
}

// What is wrong with a row, of the error that it is answered by: [{field, message}].
export function faultsOf({ detail = "", errors = [] }) {
  if (!errors.length) return [{ field: "", message: String(detail) }];
  return errors.map(({ pointer = "", message = "" }) => {
    const [, ...path] = String(pointer).split("/");
    return { field: path.map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~")).join("."), message: String(message) };
  });
}
