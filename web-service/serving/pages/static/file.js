// A file of records: the service reads and answers it; this shows the first rows and hands the whole
// back as a download that the browser itself holds.
"use strict";

function made(name, text, attributes = {}) {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

class RecordsFile {
  constructor(details) {
    this.details = details;
    this.input = details.querySelector("input");
    this.shown = details.querySelector(".rows");
    details.hidden = false;
    this.input.addEventListener("change", () => this.input.files.length && this.ask(this.input.files[0]));
    // the same file, mended, is a change too
    this.input.addEventListener("click", () => (this.input.value = ""));
    details.addEventListener("dragover", (event) => event.preventDefault());
    details.addEventListener("drop", (event) => {
      event.preventDefault();
      if (!event.dataTransfer.files.length) return;
      details.open = true; // what is dropped on the closed part would be answered out of sight
      this.ask(event.dataTransfer.files[0]);
    });
  }

  async ask(file) {
    if (file.size > Number(this.details.dataset.bytes)) {
      this.fail(`The file has ${file.size} bytes; ${this.details.dataset.bytes} are read here.`, [], true);
      return;
    }
    this.details.setAttribute("aria-busy", "true");
    try {
      const response = await fetch(this.details.dataset.url, {
        method: "POST",
        headers: { "Content-Type": "text/csv", ...keyHeaders() },
        body: file,
      });
      const answered = await response.json();
      if (response.ok) this.show(file.name, answered);
      else this.fail(`${answered.detail}.`, answered.errors ?? [], response.status === 413);
    } catch {
      this.fail("The service could not be reached, or the file could not be read. Try again.", [], false);
    } finally {
      this.details.removeAttribute("aria-busy");
    }
  }

  fail(detail, errors, large) {
    const list = made("ul");
    for (const { field, problem } of errors) list.append(made("li", `${field}: ${problem}`));
    const parts = [made("p", detail, { class: "error" })];
    if (errors.length) parts.push(list);
    if (large) {
      parts.push(made("p", "A larger file is scored by the batch command, in the repository:"));
      parts.push(made("pre", this.details.dataset.command, { tabindex: "0" }));
    }
    this.shown.replaceChildren(...parts);
  }

  show(name, { columns, rows, records, refused, csv }) {
    const answered = records - refused;
    const words = `${answered} of ${records} rows are answered${refused ? `; ${refused} have a problem` : ""}.`;
    const more = records > rows.length ? ` The first ${rows.length} are shown.` : "";
    const table = made("table", undefined, { class: "numbers" });
    const head = made("tr");
    for (const column of columns) head.append(made("th", column, { scope: "col" }));
    table.append(made("caption", `${name}, with the answers`), made("thead"), made("tbody"));
    table.tHead.append(head);
    for (const cells of rows) {
      const row = made("tr");
      if (cells[cells.length - 1]) row.className = "refused";
      for (const cell of cells) row.append(made("td", cell));
      table.tBodies[0].append(row);
    }
    const scroll = made("div", undefined, { class: "scroll", tabindex: "0", role: "group", "aria-label": "The first rows" });
    scroll.append(table);
    URL.revokeObjectURL(this.url);
    this.url = URL.createObjectURL(new Blob([csv], { type: "text/csv" }));
    const link = made("a", "Download all rows as CSV", { href: this.url, download: `${name.replace(/\.csv$/i, "")}-answers.csv` });
    const download = made("p");
    download.append(link);
    this.shown.replaceChildren(made("p", words + more), download, scroll);
  }
}

for (const details of document.querySelectorAll("details.file")) new RecordsFile(details);
