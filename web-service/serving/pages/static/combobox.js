// Search in a list of names: the field's own <datalist>, shown as a list that works alike in every
// browser, by keyboard and for screen readers (the combobox pattern of the ARIA practices).
"use strict";

const MOST_SHOWN = 50;

const namesOf = (input) =>
  [...document.getElementById(`names-${input.dataset.names}`).options].map((option) => option.value);

const nameIn = (option) => option.slice(option.indexOf(" ") + 1).toLowerCase();

function combobox(input) {
  const options = namesOf(input);
  const list = document.createElement("ul");
  const id = `${input.id}-list`;
  let active = -1;

  input.removeAttribute("list");
  list.id = id;
  list.hidden = true;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", input.labels[0].firstChild.textContent.trim());
  input.setAttribute("role", "combobox");
  input.setAttribute("aria-autocomplete", "list");
  input.setAttribute("aria-controls", id);
  input.setAttribute("aria-expanded", "false");
  input.after(list);

  const close = () => {
    list.hidden = true;
    active = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };

  // Names that begin with what is typed come before those that only hold it.
  const matching = (text) => {
    const wanted = text.trim().toLowerCase();
    const found = options.filter((option) => option.toLowerCase().includes(wanted));
    const rank = (option) => (nameIn(option).startsWith(wanted) || option.startsWith(wanted) ? 0 : 1);
    return found.sort((a, b) => rank(a) - rank(b)).slice(0, MOST_SHOWN);
  };

  const open = (text) => {
    const items = matching(text).map((option, place) => {
      const item = document.createElement("li");
      item.id = `${id}-${place}`;
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", "false");
      item.textContent = option;
      return item;
    });
    list.replaceChildren(...items);
    close();
    if (items.length === 0) return;
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
  };

  const move = (step) => {
    if (list.hidden) open("");
    const items = list.children;
    items[active]?.setAttribute("aria-selected", "false");
    active = active < 0 && step < 0 ? items.length - 1 : (active + step + items.length) % items.length;
    items[active].setAttribute("aria-selected", "true");
    items[active].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", items[active].id);
  };

  const choose = (item) => {
    input.value = item.textContent;
    close();
    input.dispatchEvent(new Event("input", { bubbles: true }));
  };

  input.addEventListener("input", (event) => event.isTrusted && open(input.value)); // not ours above
  input.addEventListener("focus", () => input.select());
  input.addEventListener("click", () => list.hidden && open(""));
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") move(1);
    else if (event.key === "ArrowUp") move(-1);
    else if (event.key === "Enter" && active >= 0) choose(list.children[active]);
    else if (event.key === "Escape" && !list.hidden) close();
    else return;
    event.preventDefault();
  });
  // pointerdown comes before the field's blur, which closes the list
  list.addEventListener("pointerdown", (event) => {
    event.preventDefault();
  });
  list.addEventListener("click", (event) => {
    if (event.target.role === "option") choose(event.target);
  });
}

for (const input of document.querySelectorAll("input[data-names]")) combobox(input);
