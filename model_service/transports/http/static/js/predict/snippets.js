// The call as text: curl, Python with requests or with our client, JavaScript. Each runs as it is pasted, with the key,
// where one is needed, in the variable MODEL_SERVICE_API_KEY: what is copied is passed on.

import { hasPart, writeJson } from "../json.js";

/** @type {Record<string, (url: string, payload: unknown, needsKey?: boolean) => string>} */
export const SNIPPETS = {
  curl: (url, payload, needsKey) =>
    `curl -sS -X POST ${quoteShell(url)} \\\n  -H 'Content-Type: application/json' \\\n${needsKey ? CURL_KEY : ""}  --data-raw ${quoteShell(writeJson(payload))}`,

  Python: (url, payload, needsKey) =>
    [
      ...(needsKey ? ["import os", ""] : []),
      "import requests",
      "",
      `payload = ${toPython(payload)}`,
      ...(needsKey ? [`headers = {"Authorization": f"Bearer {${PYTHON_KEY}}"}`] : []),
      `response = requests.post(${toPython(url)}, json=payload, ${needsKey ? "headers=headers, " : ""}timeout=60)`,
      'if response.status_code == 422:  # response.json()["errors"] names each field',
      "    raise SystemExit(response.text)",
      "response.raise_for_status()",
      "print(response.json())",
    ].join("\n"),

  "Python client": (url, payload, needsKey) => {
    const [, address, name, version] = PREDICT_URL.exec(url);
    const model = [name, version].filter(Boolean).map((part) => toPython(decodeURIComponent(part))).join(", ");
    const key = needsKey ? `, api_key=${PYTHON_KEY}` : "";
    return [
      ...(needsKey ? ["import os", ""] : []),
      "from model_service_client import ModelServiceClient  # pip install ./clients/python",
      "",
      `with ModelServiceClient(${toPython(address)}${key}) as client:`,
      `    output = client.model(${model}).predict(${toPython(payload, "    ")})`,
      "print(output)",
    ].join("\n");
  },

  JavaScript: (url, payload, needsKey) =>
    [
      `const response = await fetch(${JSON.stringify(url)}, {`,
      '  method: "POST",',
      needsKey
        ? '  headers: { "Content-Type": "application/json", Authorization: `Bearer ${process.env.MODEL_SERVICE_API_KEY}` },'
        : '  headers: { "Content-Type": "application/json" },',
      `  body: ${toJavaScript(payload)},`,
      "});",
      "if (!response.ok) throw new Error(await response.text());",
      "console.log(await response.json());",
    ].join("\n"),
};

const CURL_KEY = '  -H "Authorization: Bearer $MODEL_SERVICE_API_KEY" \\\n';
const PYTHON_KEY = "os.environ['MODEL_SERVICE_API_KEY']";

// The service with the prefix of a proxy, the model, and its version unless that is the default.
const PREDICT_URL = /^(.*)\/api\/models\/([^/]+)(?:\/versions\/([^/]+))?\/predict$/;

// Between single quotes a shell reads everything as it stands.
const quoteShell = (text) => `'${text.replaceAll("'", "'\\''")}'`;

// JavaScript would change the digits of a long integer, so a payload with one is written as text.
function toJavaScript(payload) {
  if (hasPart(payload, (part) => typeof part === "bigint")) return JSON.stringify(writeJson(payload));
  return `JSON.stringify(${JSON.stringify(payload, null, 2).replaceAll("\n", "\n  ")})`;
}

function toPython(value, indent = "") {
  const inner = `${indent}    `;
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (typeof value !== "object") return writeJson(value);
  const isList = Array.isArray(value);
  const [open, close] = isList ? "[]" : "{}";
  const entries = isList
    ? value.map((entry) => toPython(entry, inner))
    : Object.entries(value).map(([key, entry]) => `${JSON.stringify(key)}: ${toPython(entry, inner)}`);
  if (entries.length === 0) return open + close;
  return `${open}\n${entries.map((entry) => `${inner}${entry},\n`).join("")}${indent}${close}`;
}

/** Put text on the clipboard; false when the browser does not allow it, as on a page without TLS. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

function copyBySelection(text) {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "visually-hidden";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}
