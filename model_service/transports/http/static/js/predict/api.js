// One call of the REST interface, and what came of it in one shape.

import { readJson, writeJson } from "../json.js";

/**
 * Post a payload; a signal that aborts gives the request up.
 * @returns {Promise<{kind: "output"|"problem"|"unreachable", ...}>} An `output` has `output`, `version`,
 *   `requestId` and `duration` in ms; a `problem` has the problem document and `retryAfter` in s.
 */
export async function predict(path, payload, signal) {
  const started = performance.now();
  let response;
  let document;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json, application/problem+json" },
      body: writeJson(payload),
      signal,
    });
    document = readJson(await response.text());
  } catch {
    // No answer, or one that is cut off or comes from something in between.
    return { kind: "unreachable", status: response?.status };
  }
  const shared = { duration: performance.now() - started, requestId: response.headers.get("X-Request-ID") };
  if (response.ok) {
    return { kind: "output", output: document, version: response.headers.get("X-Model-Version"), ...shared };
  }
  const retryAfter = Number(response.headers.get("Retry-After")) || null;
  return { kind: "problem", problem: document, status: response.status, retryAfter, ...shared };
}

/** What to tell a person about an answer that is no output and no list of faults. */
export function explain(result) {
  if (result.kind === "unreachable") {
    const why = result.status ? `The server answered with status ${result.status} and no document.` : "The server could not be reached.";
    return { title: why, detail: "What you entered is kept. Check the connection and try again." };
  }
  const { problem, status, retryAfter } = result;
  const again = {
    401: "You are not signed in any more. Sign in again in another tab; what you entered is kept.",
    429: `The service is busy. Try again in ${retryAfter ?? 1} s.`,
    503: `The model is not ready.${retryAfter ? ` Try again in ${retryAfter} s.` : ""}`,
    504: "The model took too long. Try again later, or with a smaller input.",
  }[status];
  return { title: again ?? problem.title, detail: problem.detail, requestId: problem.request_id };
}
