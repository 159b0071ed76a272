// Draws an output with the words of its schema: titles, units, choices, probabilities as bars.
// Every text is set as text, so nothing in an output can become markup.

import { writeJson } from "../json.js";
import { formatNumber, isNumber } from "../numbers.js";
import { choicesOf, resolve, titleOf } from "../schema.js";
import { drawBars, readShares } from "./bars.js";

const MOST_ENTRIES = 100;

/** An element of a kind with a class and children. */
export function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** The answer to one payload: its headline, everything else, and how it came about. */
export function drawResult({ output, version, duration, requestId }, schema) {
  const root = schema ?? {};
  const headline = findHeadline(output, root);
  const parts = [];
  if (headline) {
    const rule = propertyOf(root, headline, root);
    parts.push(
      element(
        "div",
        "headline",
        element("div", "headline-label", rule.title ?? humanise(headline)),
        element("div", "headline-value", drawValue(output[headline], rule, root)),
        ...(rule.description ? [element("div", "form-text", rule.description)] : []),
      ),
    );
  }
  const rest = headline ? Object.fromEntries(Object.entries(output).filter(([key]) => key !== headline)) : output;
  if (!headline || Object.keys(rest).length > 0) parts.push(drawValue(rest, root, root));
  const facts = [`${formatNumber(Number(duration.toPrecision(3)))} ms`, version && `version ${version}`, requestId && `request ${requestId}`];
  parts.push(element("p", "facts", facts.filter(Boolean).join(" · ")));
  const raw = element("details", "raw-json", element("summary", "", "JSON"));
  const text = element("pre", "code", writeJson(output, null, 2));
  text.tabIndex = 0; // a region that scrolls must be reachable by keyboard
  text.setAttribute("aria-label", "The answer as JSON");
  raw.append(text);
  parts.push(raw);
  return element("div", "result", ...parts);
}

/** The short form of an output, for a list. */
export function summarise(output, schema) {
  const headline = findHeadline(output, schema ?? {});
  const value = headline ? output[headline] : output;
  const rule = headline ? propertyOf(schema, headline, schema) : {};
  const text = value !== null && typeof value === "object" ? writeJson(value) : drawValue(value, rule, schema).textContent;
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

// The first field with a choice among values answers the question; else the first that is a plain value.
function findHeadline(output, schema) {
  if (!isObject(output)) return null;
  const plain = Object.keys(output).filter((key) => output[key] !== null && typeof output[key] !== "object");
  const isChoice = (key) => choicesOf(propertyOf(schema, key, schema)).length > 1;
  return plain.find(isChoice) ?? plain.find((key) => typeof output[key] !== "string") ?? plain[0] ?? null;
}

function drawValue(value, rule, root) {
  if (value === null || value === undefined) return element("span", "text-body-secondary", "none");
  const title = titleOf(choicesOf(rule), value);
  if (title) return element("span", "", title);
  if (typeof value === "boolean") return element("span", "", value ? "Yes" : "No");
  if (isNumber(value)) return drawNumber(value, rule);
  if (value === "") return element("span", "text-body-secondary", "empty text");
  if (typeof value === "string") return element("span", "text-value", value);
  const shares = readShares(value, rule, (key) => propertyOf(rule, key, root).title ?? key);
  if (shares) return drawBars(shares);
  return Array.isArray(value) ? drawArray(value, rule, root) : drawObject(value, rule, root);
}

function drawNumber(value, rule) {
  if (rule.minimum === 0 && rule.maximum === 1 && rule.type === "number") {
    return drawBars([{ label: "", share: value }]);
  }
  // A number that is too long for its line breaks between its groups.
  const groups = formatNumber(value).split(/(?<=,)/).flatMap((group, i) => (i > 0 ? [element("wbr"), group] : [group]));
  return element("span", "number", ...groups, typeof rule.unit === "string" ? ` ${rule.unit}` : "");
}

function drawObject(value, rule, root) {
  const table = element("table", "table table-sm values");
  const body = element("tbody", "");
  for (const [key, inner] of Object.entries(value)) {
    const field = propertyOf(rule, key, root);
    const head = element("th", "", field.title ?? humanise(key));
    head.scope = "row";
    if (field.description) head.append(element("div", "form-text", field.description));
    const drawn = drawValue(inner, field, root);
    const cell = element("td", "", drawn);
    if (drawn.matches("span")) {
      body.append(element("tr", "", head, cell));
      continue;
    }
    // A table, a list or bars need the whole width.
    head.colSpan = 2;
    cell.colSpan = 2;
    body.append(element("tr", "wide", head), element("tr", "", cell));
  }
  if (!body.hasChildNodes()) return element("span", "text-body-secondary", "empty");
  table.append(body);
  return table;
}

function drawArray(value, rule, root) {
  if (value.length === 0) return element("span", "text-body-secondary", "empty");
  const shown = value.slice(0, MOST_ENTRIES);
  const more = value.length - shown.length;
  const note = more > 0 ? [element("p", "form-text", `and ${formatNumber(more)} more; see JSON`)] : [];
  const entryRule = (i) => ruleOf(rule.prefixItems?.[i] ?? rule.items, root);
  if (!shown.every(isObject)) {
    const entries = shown.map((entry, i) => element("li", "", drawValue(entry, entryRule(i), root)));
    return element("div", "", element("ol", "", ...entries), ...note);
  }
  const keys = [...new Set(shown.flatMap(Object.keys))];
  const heads = keys.map((key) => {
    const head = element("th", "", propertyOf(entryRule(0), key, root).title ?? humanise(key));
    head.scope = "col";
    return head;
  });
  const rows = shown.map((entry, i) =>
    element("tr", "", ...keys.map((key) => element("td", "", drawValue(entry[key], propertyOf(entryRule(i), key, root), root)))),
  );
  const table = element("table", "table table-sm", element("thead", "", element("tr", "", ...heads)), element("tbody", "", ...rows));
  const frame = element("div", "table-responsive", table);
  frame.tabIndex = 0;
  frame.setAttribute("role", "group"); // a landmark would need a name that no other table has
  frame.setAttribute("aria-label", rule.title ?? "Entries");
  return element("div", "", frame, ...note);
}

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

const humanise = (key) => {
  const words = key.replaceAll("_", " ").trim();
  return words ? words[0].toUpperCase() + words.slice(1) : key;
};

// The schema of a place, with local references followed; `{}` when the schema says nothing.
const ruleOf = (field, root) => resolve(root, field) ?? {};
const propertyOf = (rule, key, root) => ruleOf(Object.hasOwn(rule?.properties ?? {}, key) ? rule.properties[key] : null, root);
