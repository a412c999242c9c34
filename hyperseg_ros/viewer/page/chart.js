// A reading and its last two minutes.

const LENGTH = 121;
const WIDTH = 120;
const HEIGHT = 40;

export class Chart {
  constructor(box, digits) {
    this.value = box.querySelector(".value");
    this.line = box.querySelector(".line");
    this.area = box.querySelector(".area");
    this.top = box.querySelector(".top");
    this.digits = digits;
    this.values = [];
  }

  // value: a number, or null where there is none; one a second.
  add(value) {
    this.values.push(value);
    if (this.values.length > LENGTH) this.values.shift();
    this.value.textContent = value === null ? "–" : value.toFixed(this.digits);
    this.draw();
  }

  clear() {
    this.values = [];
    this.value.textContent = "–";
    this.draw();
  }

  draw() {
    const highest = roundUp(Math.max(...this.values.filter((value) => value !== null), 0));
    let line = "";
    let area = "";
    let start = null;
    this.values.forEach((value, index) => {
      const x = WIDTH - (this.values.length - 1 - index);
      if (value !== null) {
        const y = (HEIGHT - (Math.max(value, 0) / highest) * (HEIGHT - 3)).toFixed(1);
        line += `${start === null ? "M" : "L"}${x} ${y}`;
        area += start === null ? `M${x} ${HEIGHT}L${x} ${y}` : `L${x} ${y}`;
        start ??= x;
      }
      if (start !== null && (value === null || index === this.values.length - 1)) {
        area += `L${value === null ? x - 1 : x} ${HEIGHT}Z`;
        start = null;
      }
    });
    this.line.setAttribute("d", line);
    this.area.setAttribute("d", area);
    this.top.textContent = this.values.length ? `up to ${highest}` : "";
  }
}

// The next of 1, 2, 5, 10, 20, 50, ...
function roundUp(value) {
  if (value <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value);
}
