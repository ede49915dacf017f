// The forms without a reload. Answers and errors come from the server as HTML, the same that a
// browser without JavaScript gets; this puts them into place and keeps the snippets up to date.
"use strict";

const NUMBER = /^-?(0|[1-9]\d{0,300})(\.\d+)?([eE][-+]?\d{1,3})?$/;

// The JSON value of what is typed, as forms.py reads it.
function valueOf(input) {
  const text = input.value.trim();
  if (input.dataset.type === "boolean") return { true: true, false: false }[text] ?? text;
  if (input.dataset.type === "string") return text;
  if (input.dataset.names) return window.numberOf(input, text);
  return NUMBER.test(text) ? Number(text) : text;
}

function recordOf(form) {
  const inputs = [...form.elements].filter((input) => input.name && input.value.trim());
  return Object.fromEntries(inputs.map((input) => [input.name, valueOf(input)]));
}

const shellQuoted = (text) => `'${text.replaceAll("'", `'"'"'`)}'`;
const spaced = (record) => {
  const pairs = Object.entries(record);
  return `{${pairs.map(([k, v]) => `${JSON.stringify(k)}: ${JSON.stringify(v)}`).join(", ")}}`;
};
// a JSON text is a Python literal but for the two truth values
const python = (value) => (typeof value === "boolean" ? (value ? "True" : "False") : JSON.stringify(value));

function updateSnippets(form) {
  const model = form.id.replace(/-form$/, "");
  const record = recordOf(form);
  const path = new URL(form.dataset.url).pathname;
  const url = location.origin + path; // a proxy may have another address than the server knows
  document.getElementById(`${model}-curl`).textContent =
    `curl ${url} \\\n  -H 'Content-Type: application/json' \\\n  --data-raw ${shellQuoted(spaced(record))}`;
  const lines = Object.entries(record).map(([k, v]) => `    ${python(k)}: ${python(v)},\n`);
  document.getElementById(`${model}-requests`).textContent =
    `import requests\n\nrecord = {\n${lines.join("")}}\n` +
    `answer = requests.post(${python(url)}, json=record, timeout=10)\n` +
    "answer.raise_for_status()\nprint(answer.json())";
}

// Takes the live parts of one form from the page that the server answered with.
function show(form, page) {
  const model = form.id.replace(/-form$/, "");
  const section = document.getElementById(model);
  for (const part of section.querySelectorAll("[data-live]")) {
    const fresh = page.getElementById(part.id);
    if (fresh) part.replaceChildren(...document.importNode(fresh, true).childNodes);
  }
  for (const input of form.elements) {
    if (!input.name) continue;
    const fresh = page.getElementById(input.id);
    input.toggleAttribute("aria-invalid", false);
    if (fresh && fresh.hasAttribute("aria-invalid")) input.setAttribute("aria-invalid", "true");
  }
  const wrong = form.querySelector("[aria-invalid]");
  if (wrong) wrong.focus();
}

function say(form, headline, text) {
  const model = form.id.replace(/-form$/, "");
  const head = document.createElement("p");
  head.className = "headline failed";
  head.textContent = headline;
  const body = document.createElement("p");
  body.textContent = text;
  document.getElementById(`${model}-answer`).replaceChildren(head, body);
}

const latest = new WeakMap();

async function predict(form) {
  const turn = (latest.get(form) ?? 0) + 1;
  latest.set(form, turn);
  const answer = document.getElementById(form.id.replace(/-form$/, "-answer"));
  answer.setAttribute("aria-busy", "true");
  try {
    const response = await fetch(form.action, {
      method: "POST",
      body: new URLSearchParams(new FormData(form)),
    });
    const text = await response.text();
    if (latest.get(form) !== turn) return; // a later click has asked anew
    if (response.headers.get("Content-Type")?.startsWith("text/html")) {
      show(form, new DOMParser().parseFromString(text, "text/html"));
    } else {
      say(form, "No answer", JSON.parse(text).detail);
    }
  } catch {
    say(form, "No answer", "The service could not be reached. Is it still running? Try again.");
  } finally {
    answer.removeAttribute("aria-busy");
  }
}

async function copy(button) {
  const code = document.getElementById(button.dataset.copies);
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(code); // no clipboard without https: Ctrl+C does the rest
    button.textContent = "Selected";
  }
}

for (const form of document.querySelectorAll("form")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    predict(form);
  });
  form.addEventListener("input", () => updateSnippets(form));
  form.addEventListener("reset", () => {
    // the fields have their old values only after this event
    setTimeout(() => {
      updateSnippets(form);
      predict(form);
    });
  });
  updateSnippets(form);
}
for (const button of document.querySelectorAll("button[hidden]")) button.hidden = false;
for (const button of document.querySelectorAll("button.copy")) {
  button.addEventListener("click", () => copy(button));
  button.addEventListener("blur", () => (button.textContent = "Copy"));
}
