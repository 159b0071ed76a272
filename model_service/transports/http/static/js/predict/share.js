// A link that carries the input in its fragment, which no browser sends to a server.

const LONGEST = 8000; // what mail programs and chats leave whole

/** The link, or a sentence that says why there is none. */
export function makeLink(payload) {
  const fragment = `input=${encodeURIComponent(JSON.stringify(payload))}`;
  if (fragment.length > LONGEST) {
    return { reason: `The input is too long for a link (${fragment.length.toLocaleString("en")} of ${LONGEST.toLocaleString("en")} characters). Copy the call instead.` };
  }
  return { link: `${location.origin}${location.pathname}#${fragment}` };
}

/** The payload in the page's own fragment: an input, or one of the examples; undefined without one. */
export function readFragment(examples) {
  const fragment = location.hash.slice(1);
  if (fragment.startsWith("example=")) return examples[Number(fragment.slice("example=".length))];
  if (!fragment.startsWith("input=")) return undefined;
  try {
    return JSON.parse(decodeURIComponent(fragment.slice("input=".length)));
  } catch {
    return undefined; // cut off on its way
  }
}
