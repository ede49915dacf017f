// The forms without a reload. Answers, errors and snippets come from the server as HTML, the same
// that a browser without JavaScript gets; this puts them into place.
"use strict";

// A proxy may have another address than the server knows.
function ourOrigin(form) {
  const told = new URL(form.dataset.url).origin;
  for (const code of document.getElementById(modelOf(form)).querySelectorAll(".snippets code")) {
    code.textContent = code.textContent.replaceAll(told, location.origin);
  }
}

const modelOf = (form) => form.id.replace(/-form$/, "");

// Takes the live parts of one form from the page that the server answered with.
function show(form, page, sent) {
  const section = document.getElementById(modelOf(form));
  for (const part of section.querySelectorAll("[data-live]")) {
    const fresh = page.getElementById(part.id);
    if (fresh) part.replaceChildren(...document.importNode(fresh, true).childNodes);
  }
  for (const input of form.elements) {
    if (!input.name) continue;
    const fresh = page.getElementById(input.id);
    input.toggleAttribute("aria-invalid", false);
    if (fresh && fresh.hasAttribute("aria-invalid")) input.setAttribute("aria-invalid", "true");
    // "times sq" becomes the whole name, unless somebody has typed on
    else if (fresh && input.dataset.names && input.value === sent.get(input.name)) input.value = fresh.value;
  }
  ourOrigin(form);
  const wrong = form.querySelector("[aria-invalid]");
  if (wrong) wrong.focus();
  // on a telephone the answer is below the fields: it comes into view
  else section.querySelector(".answer").scrollIntoView({ block: "nearest" });
}

function say(form, headline, text) {
  const head = document.createElement("p");
  head.className = "headline failed";
  head.textContent = headline;
  const body = document.createElement("p");
  body.textContent = text;
  document.getElementById(`${modelOf(form)}-answer`).replaceChildren(head, body);
}

const latest = new WeakMap();

async function predict(form) {
  const turn = (latest.get(form) ?? 0) + 1;
  latest.set(form, turn);
  const answer = document.getElementById(`${modelOf(form)}-answer`);
  answer.setAttribute("aria-busy", "true");
  const sent = new URLSearchParams(new FormData(form));
  try {
    const response = await fetch(form.action, { method: "POST", body: sent, headers: keyHeaders() });
    const text = await response.text();
    if (latest.get(form) !== turn) return; // a later click has asked anew
    if (response.headers.get("Content-Type")?.startsWith("text/html")) {
      show(form, new DOMParser().parseFromString(text, "text/html"), sent);
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
  form.addEventListener("reset", () => {
    // the fields have their old values only after this event
    setTimeout(() => predict(form));
  });
  ourOrigin(form);
}
for (const button of document.querySelectorAll("button[hidden]")) button.hidden = false;
for (const button of document.querySelectorAll("button.copy")) {
  button.addEventListener("click", () => copy(button));
  button.addEventListener("blur", () => (button.textContent = "Copy"));
}
