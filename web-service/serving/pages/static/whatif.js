// What if: one field takes its steps while the others stay. All answers come from the API in one
// array; a slider goes through them, by mouse and keyboard, and says each in words.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
const [WIDE, HIGH, EDGE] = [320, 140, 8];

function drawn(name, attributes, ...inside) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...inside);
  return element;
}

// The number of an answer that the curve shows: its first one, or of several classes that of the
// class which is likeliest at first.
function numberOf(answer, likeliest) {
  const values = Object.values(answer);
  const byClass = values.find((value) => value && typeof value === "object" && !Array.isArray(value));
  if (byClass) return byClass[likeliest];
  return values.find((value) => typeof value === "number");
}

function likeliestOf(answer) {
  const shares = Object.values(answer).find((value) => value && typeof value === "object" && !Array.isArray(value));
  return shares && Object.keys(shares).reduce((best, name) => (shares[name] > shares[best] ? name : best));
}

// What the form calls a value of a field: "74 East Harlem North, Manhattan".
function nameOf(input, value) {
  const options = input.dataset.names ? document.getElementById(`names-${input.dataset.names}`).options : [];
  const named = [...options].find((option) => option.value.startsWith(`${value} `));
  return named?.value ?? String(value ?? "none");
}

class WhatIf {
  constructor(details) {
    this.details = details;
    this.model = details.dataset.model;
    this.form = document.getElementById(`${this.model}-form`);
    this.field = details.querySelector("select");
    this.slider = details.querySelector("input");
    this.told = details.querySelector(".told");
    this.curve = details.querySelector(".curve");
    this.record = document.getElementById(`${this.model}-record`);
    this.turn = 0;
    details.hidden = false;
    details.addEventListener("toggle", () => this.ask());
    this.field.addEventListener("change", () => this.ask());
    this.slider.addEventListener("input", () => this.tell());
    details.querySelector(".take").addEventListener("click", () => this.take());
    new MutationObserver(() => this.ask()).observe(this.record, { childList: true });
  }

  // The values of a choice are those of the form's own field, as its JSON has them; of categories by
  // the hundred they are the most frequent ones, behind the record's own.
  steps(now) {
    const { values, labels } = this.field.selectedOptions[0].dataset;
    const choice = this.form.elements[this.field.value];
    if (labels) {
      const [listed, called] = [JSON.parse(values), JSON.parse(labels)];
      if (listed.includes(now)) return { numeric: false, values: listed, labels: called };
      return { numeric: false, values: [now, ...listed], labels: [nameOf(choice, now), ...called] };
    }
    if (values) {
      const numbers = JSON.parse(values);
      return { numeric: true, values: numbers, labels: numbers.map((value) => Number(value.toPrecision(3))) };
    }
    const options = [...choice.options].filter((option) => option.value !== "");
    const read = choice.dataset.type === "string" ? (text) => text : JSON.parse;
    return {
      numeric: false,
      values: options.map((option) => read(option.value)),
      labels: options.map((option) => option.label),
    };
  }

  get title() {
    return this.field.selectedOptions[0].label;
  }

  async ask() {
    if (!this.details.open) return;
    const turn = ++this.turn;
    const record = JSON.parse(this.record.textContent);
    const steps = this.steps(record[this.field.value]);
    this.details.setAttribute("aria-busy", "true");
    try {
      const response = await fetch(new URL(this.form.dataset.url).pathname, {
        method: "POST",
        headers: { "Content-Type": "application/json", ...keyHeaders() },
        body: JSON.stringify(steps.values.map((value) => ({ ...record, [this.field.value]: value }))),
      });
      const answered = await response.json();
      if (turn !== this.turn) return; // another field was chosen meanwhile
      if (!response.ok) throw new Error(answered.detail);
      this.show(answered.predictions, steps, record[this.field.value]);
    } catch (error) {
      this.answers = undefined;
      this.curve.replaceChildren();
      this.told.textContent = `No curve: ${error.message}`;
    } finally {
      this.details.removeAttribute("aria-busy");
    }
  }

  show(predictions, steps, now) {
    const { values } = steps;
    const likeliest = likeliestOf(predictions[0]);
    this.answers = predictions.map((answer) => ({
      number: numberOf(answer, likeliest),
      beyond: answer.beyond !== undefined,
      unseen: answer.unseen !== undefined,
    }));
    this.likeliest = likeliest;
    Object.assign(this, steps);
    this.slider.max = values.length - 1;
    const near = values.indexOf(now);
    const closest = values.reduce((best, value, at) => (Math.abs(value - now) < Math.abs(values[best] - now) ? at : best), 0);
    this.slider.value = near >= 0 || !steps.numeric ? Math.max(near, 0) : closest;
    this.draw();
    this.tell();
  }

  draw() {
    const numbers = this.answers.map((answer) => answer.number);
    const low = Math.min(...numbers, 0);
    const span = Math.max(...numbers) - low || 1;
    const x = (at) => EDGE + ((WIDE - 2 * EDGE) * at) / Math.max(numbers.length - 1, 1);
    const y = (value) => HIGH - EDGE - ((HIGH - 2 * EDGE) * (value - low)) / span;
    this.places = numbers.map((value, at) => [x(at), y(value)]);
    this.mark = drawn("circle", { r: 6, class: "mark" });
    const title = drawn("title", {}, this.summary(numbers));
    const shape =
      this.numeric
        ? [drawn("polyline", { points: this.places.map((place) => place.join()).join(" ") })]
        : this.places.map(([left, top]) => drawn("rect", { x: left - 4, y: top, width: 8, height: HIGH - EDGE - top }));
    this.curve.replaceChildren(drawn("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img" }, title, ...shape, this.mark));
  }

  summary(numbers) {
    const [first, last] = [this.labels[0], this.labels[this.labels.length - 1]];
    const least = Math.min(...numbers);
    const most = Math.max(...numbers);
    if (this.numeric) return `${this.title} from ${first} to ${last}: from ${this.said(least)} to ${this.said(most)}`;
    const [low, high] = [least, most].map((value) => `${this.said(value)} of ${this.labels[numbers.indexOf(value)]}`);
    return `${this.title}, ${numbers.length} of them: from ${low} to ${high}`;
  }

  said(value) {
    const percent = this.details.dataset.unit === "%";
    const shown = percent ? Math.round(100 * value) : value.toFixed(this.details.dataset.decimals);
    return `${shown}\u00a0${this.details.dataset.unit}`;
  }

  tell() {
    if (!this.answers) return;
    const at = Number(this.slider.value);
    const { number, beyond, unseen } = this.answers[at];
    const notes = [beyond ? "beyond training" : "", unseen ? "a combination training never saw" : ""];
    const note = notes.filter(Boolean).join(", ");
    const whose = this.likeliest ? ` of ${this.likeliest}` : "";
    const words = `${this.title} ${this.labels[at]}: ${this.said(number)}${whose}${note && ` (${note})`}`;
    this.told.textContent = words;
    this.slider.setAttribute("aria-valuetext", words);
    this.mark.setAttribute("cx", this.places[at][0]);
    this.mark.setAttribute("cy", this.places[at][1]);
  }

  take() {
    if (!this.answers) return;
    const [at, input] = [Number(this.slider.value), this.form.elements[this.field.value]];
    input.value = input.dataset.names ? this.labels[at] : String(this.values[at] ?? "");
    this.form.requestSubmit();
  }
}

for (const details of document.querySelectorAll("details.whatif")) new WhatIf(details);
