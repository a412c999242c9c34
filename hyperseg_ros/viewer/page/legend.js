// The classes: colour, name, share, and a switch each.

const UNLABELLED = 255;

export class Legend {
  // changed(): a switch or a colour is another one.
  constructor(list, hint, changed) {
    this.list = list;
    this.hint = hint;
    this.changed = changed;
    this.classes = new Map();
    this.rows = new Map();
    this.hidden = new Set(recall());
  }

  // known: [[id, name, [red, green, blue]], ...]; shares: of the ids on the screen, 0 to 1.
  update(known, shares) {
    const classes = new Map(known.map(([id, name, color]) => [id, { name, color }]));
    for (const text of Object.keys(shares)) {
      const id = Number(text);
      if (id !== UNLABELLED && !classes.has(id)) {
        classes.set(id, { name: `class ${id}`, color: distinctColor(id) });
      }
    }
    if (JSON.stringify([...classes]) !== JSON.stringify([...this.classes])) {
      this.classes = classes;
      this.build();
      this.changed();
    }
    for (const [id, row] of this.rows) {
      const share = shares[id] ?? 0;
      row.bar.style.width = `${100 * share}%`;
      row.share.textContent = share === 0 ? "0 %" : `${(100 * share).toFixed(1)} %`;
      row.item.classList.toggle("absent", share === 0);
    }
    const rest = this.rows.get(UNLABELLED);
    if (rest) rest.item.hidden = !shares[UNLABELLED];
  }

  name(id) {
    return this.classes.get(id)?.name ?? "unlabelled";
  }

  color(id) {
    return this.classes.get(id)?.color ?? [128, 128, 128];
  }

  // For each of 256 ids its colour, or null where it is not to be seen.
  palette() {
    return Array.from({ length: 256 }, (_, id) => {
      const entry = this.classes.get(id);
      return entry && !this.hidden.has(entry.name) ? entry.color : null;
    });
  }

  switchAll(on) {
    this.hidden = new Set(on ? [] : [...this.classes.values()].map(({ name }) => name));
    for (const { input, name } of this.rows.values()) {
      if (!input.disabled) input.checked = !this.hidden.has(name);
    }
    this.keep();
  }

  toggleAll() {
    this.switchAll([...this.classes.values()].some(({ name }) => this.hidden.has(name)));
  }

  build() {
    this.hint.hidden = this.classes.size > 0;
    this.rows = new Map([...this.classes].map(([id, entry]) => [id, this.row(id, entry)]));
    if (this.rows.size) {
      this.rows.set(UNLABELLED, this.row(UNLABELLED, { name: "unlabelled", color: [128, 128, 128] }));
      const { input } = this.rows.get(UNLABELLED);
      input.disabled = true;
      input.checked = false;
    }
    this.list.replaceChildren(...[...this.rows.values()].map(({ item }) => item));
  }

  row(id, { name, color }) {
    const item = element("li");
    const label = element("label");
    const input = element("input");
    input.type = "checkbox";
    input.checked = !this.hidden.has(name);
    input.dataset.id = id;
    label.style.setProperty("--color", `rgb(${color.join(" ")})`);
    input.addEventListener("change", () => {
      if (input.checked) this.hidden.delete(name);
      else this.hidden.add(name);
      this.keep();
    });
    const bar = element("i");
    const frame = element("span", "bar");
    frame.append(bar);
    const share = element("span", "share");
    const text = element("span", "name");
    text.textContent = text.title = name;
    label.append(input, text, frame, share);
    item.append(label);
    return { item, input, bar, share, name };
  }

  keep() {
    try {
      localStorage.setItem("hyperseg.hidden", JSON.stringify([...this.hidden]));
    } catch {
      // Storage is a convenience: some browsers refuse it.
    }
    this.changed();
  }
}

function recall() {
  try {
    const names = JSON.parse(localStorage.getItem("hyperseg.hidden"));
    return Array.isArray(names) ? names : [];
  } catch {
    return [];
  }
}

// Hues that lie far apart, for ids without a name.
function distinctColor(id) {
  const channel = (offset) => {
    const k = (offset + id * 4.583) % 12;
    return Math.round(255 * (0.55 - 0.35 * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [channel(0), channel(8), channel(4)];
}

export function element(tag, name = "") {
  const made = document.createElement(tag);
  if (name) made.className = name;
  return made;
}
