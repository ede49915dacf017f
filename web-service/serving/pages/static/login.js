// Asks for the tab's API key, and shows the page that was asked for with it.
"use strict";

(() => {
  const form = document.getElementById("login");
  const told = document.getElementById("login-told");

  // Replaces this page by what the address answers to the key; says so where it is refused.
  async function open(key) {
    let response;
    try {
      const headers = { Accept: "text/html, */*;q=0.8", "X-API-Key": key };
      response = await fetch(location.href, { headers });
    } catch {
      told.textContent = "The service could not be reached. Try again.";
      return;
    }
    const text = await response.text();
    if (response.status === 401) {
      sessionStorage.removeItem("api-key");
      again("This key is not known here.");
      return;
    }
    sessionStorage.setItem("api-key", key);
    const kind = response.headers.get("Content-Type") ?? "";
    if (response.status === 403) {
      again(`This page is not for that key: ${JSON.parse(text).detail}.`);
      document.getElementById("login-back").hidden = false;
      return;
    }
    if (kind.startsWith("text/html")) {
      document.open();
      document.write(text);
      document.close();
      untilItsScripts();
      return;
    }
    const shown = document.createElement("pre");
    shown.tabIndex = 0;
    const refused = kind.startsWith("application/problem+json");
    shown.textContent = refused ? JSON.parse(text).detail : text;
    document.querySelector("main").replaceChildren(shown);
  }

  // The page's own scripts come a moment later; a form that is sent before goes without the key.
  function untilItsScripts() {
    let sent;
    const early = (event) => {
      event.preventDefault();
      sent = event.target;
    };
    document.addEventListener("submit", early, true);
    const done = () => {
      document.removeEventListener("submit", early, true);
      sent?.requestSubmit();
      sent = undefined;
    };
    document.addEventListener("DOMContentLoaded", done);
    addEventListener("load", done);
    setTimeout(done, 5000); // where a script does not come at all
  }

  function again(why) {
    form.hidden = false;
    told.textContent = why;
    form.elements.key.focus();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    open(form.elements.key.value);
  });
  const kept = sessionStorage.getItem("api-key");
  form.hidden = kept !== null;
  if (kept !== null) open(kept);
  else form.elements.key.focus();
})();
