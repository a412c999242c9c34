// What the segmentation node says about itself on /diagnostics.

import { element } from "./legend.js";

const LEVELS = [
  ["ok", "OK"],
  ["warn", "Warning"],
  ["error", "Error"],
  ["error", "Stale"],
];

export class Diagnostics {
  constructor(box, hint) {
    this.box = box;
    this.hint = hint;
    this.open = new Set();
  }

  // parts: [{name, level, message, values: [[key, value], ...]}, ...]
  update(parts) {
    this.hint.hidden = parts.length > 0;
    const focused = document.activeElement?.closest?.(".part")?.dataset.name;
    this.box.replaceChildren(...parts.map((part) => this.part(part)));
    if (focused) {
      const part = [...this.box.children].find(({ dataset }) => dataset.name === focused);
      part?.querySelector("summary")?.focus({ preventScroll: true });
    }
  }

  part({ name, level, message, values }) {
    const box = element("div", "part");
    box.dataset.name = name;
    const [kind, word] = LEVELS[level] ?? ["error", `Level ${level}`];
    const verdict = element("span", "verdict");
    verdict.dataset.level = kind;
    verdict.textContent = word;
    const title = element("span", "name");
    title.textContent = name;
    const head = element("p");
    head.append(verdict, " ", title);
    box.append(head);
    if (message && message.toLowerCase() !== word.toLowerCase()) {
      const text = element("p", "message");
      text.textContent = message;
      box.append(text);
    }
    if (values.length) box.append(this.details(name, values));
    return box;
  }

  details(name, values) {
    const details = element("details");
    details.open = this.open.has(name);
    details.addEventListener("toggle", () => {
      if (details.open) this.open.add(name);
      else this.open.delete(name);
    });
    const summary = element("summary");
    summary.textContent = `${values.length} values`;
    const table = element("table");
    for (const pair of values) {
      const row = table.insertRow();
      for (const text of pair) row.insertCell().textContent = text;
    }
    details.append(summary, table);
    return details;
  }
}
