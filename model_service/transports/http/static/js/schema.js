// What a JSON Schema says of one field: where it is, and the values it chooses among. It validates nothing.

const MAX_REFERENCES = 10;

// The field that keys lead to, or nothing.
export function fieldAt(schema, keys) {
  return keys.reduce((field, key) => resolve(schema, field?.properties?.[key]), resolve(schema, schema));
}

// [{value, title}] where the field lists plain values, else nothing; the title is empty where the schema has none.
export function choicesOf(field) {
  const choices = Array.isArray(field?.enum) ? field.enum.map((value) => ({ value, title: "" })) : titledChoices(field);
  return choices.some(({ value }) => value === undefined || (value !== null && typeof value === "object")) ? [] : choices;
}

// A value in the words of the schema: its title where it has one, else nothing.
export function titleOf(choices, value) {
  return choices.find((choice) => choice.value === value)?.title ?? "";
}

function titledChoices(field) {
  const alternatives = field?.oneOf ?? field?.anyOf;
  if (!Array.isArray(alternatives)) return [];
  return alternatives.map((choice) => ({
    value: choice?.type === "null" ? null : choice?.const,
    title: typeof choice?.title === "string" ? choice.title : "",
  }));
}

// A field with its local references followed; what is no field comes back as it is.
export function resolve(schema, field) {
  for (let i = 0; i < MAX_REFERENCES && typeof field?.$ref === "string" && field.$ref.startsWith("#"); i += 1) {
    const { $ref, ...own } = field; // words beside a reference, such as a title, come first
    field = { ...follow(schema, decodeURIComponent($ref.slice(1))), ...own };
  }
  return field;
}

// The place that the part of a reference after `#` names: by its path, or by its anchor.
function follow(schema, fragment) {
  if (fragment && !fragment.startsWith("/")) return findAnchor(schema, fragment);
  const parts = fragment.split("/").slice(1).map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  return parts.reduce((node, part) => node?.[part], schema);
}

function findAnchor(node, name) {
  if (node === null || typeof node !== "object") return undefined;
  if (node.$anchor === name || node.$dynamicAnchor === name) return node;
  for (const inner of Object.values(node)) {
    const found = findAnchor(inner, name);
    if (found) return found;
  }
  return undefined;
}
