"use strict";

const dark = matchMedia("(prefers-color-scheme: dark)");
const followScheme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
followScheme();
dark.addEventListener("change", followScheme);

const place = document.getElementById("api");
SwaggerUIBundle({
  url: place.dataset.document,
  domNode: place,
  deepLinking: false, // it puts links into buttons, which no screen reader can tell apart
  tryItOutEnabled: true,
  displayRequestDuration: true,
  // the key of this tab, if one was asked for; one that is entered under "Authorize" goes first
  requestInterceptor: (request) => {
    const sent = Object.keys(request.headers).map((name) => name.toLowerCase());
    if (!sent.includes("authorization") && !sent.includes("x-api-key")) {
      Object.assign(request.headers, keyHeaders());
    }
    return request;
  },
  validatorUrl: null, // the public one would be a request to elsewhere
  // its label is beside it, not of it
  onComplete: () => document.getElementById("servers")?.setAttribute("aria-label", "Server"),
});
