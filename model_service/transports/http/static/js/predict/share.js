// A link that carries the input in its fragment, which no browser sends to a server.

import { readJson, writeJson } from "../json.js";

const LONGEST = 8000; // what mail programs and chats leave whole

/** The link, or a sentence that says why there is none. */
export function makeLink(payload) {
  const fragment = `input=${encodeURIComponent(writeJson(payload))}`;
  if (fragment.length > LONGEST) {
    return { reason: `The input is too long for a link (${fragment.length.toLocaleString("en")} of ${LONGEST.toLocaleString("en")} characters). Copy the call instead.` };
  }
  return { link: `${location.origin}${location.pathname}#${fragment}` };
}

/** Whether a fragment carries an input, or names an example. */
export const hasInput = (fragment) => /^#(input|example)=/.test(fragment);

/** The payload in the page's own fragment, an input or one of the examples, or the reason why it cannot be read. */
export function readFragment(examples) {
  const fragment = location.hash.slice(1);
  if (fragment.startsWith("example=")) {
    const payload = examples[Number(fragment.slice("example=".length))];
    return payload === undefined ? { reason: "The link names an example that this model does not have." } : { payload };
  }
  if (!fragment.startsWith("input=")) return {};
  try {
    return { payload: readJson(decodeURIComponent(fragment.slice("input=".length))) };
  } catch {
    return { reason: "The link was damaged on its way, so its input cannot be shown. Ask for it again." };
  }
}
