// Free space from above: what is free, and where it ends.

const RINGS = 5; // metres between two rings

export class BirdsEye {
  constructor(canvas, placeholder) {
    this.canvas = canvas;
    this.placeholder = placeholder;
    this.clear();
  }

  clear() {
    this.canvas.hidden = true;
    this.placeholder.hidden = false;
  }

  // scan: angle_min, angle_increment (radians, to the left), range_max and ranges (metres; -1: free up to
  // range_max, 0: nearer than the image shows, null: unknown)
  draw({ angle_min, angle_increment, range_max, ranges }) {
    this.canvas.hidden = false;
    this.placeholder.hidden = true;
    const { width, height } = this.canvas;
    const context = this.canvas.getContext("2d");
    const style = getComputedStyle(this.canvas);
    const color = (name) => style.getPropertyValue(name);
    const metre = (height - 40) / range_max;
    const [x, y] = [width / 2, height - 12];
    const place = (index, range) => {
      const angle = angle_min + index * angle_increment;
      return [x - Math.sin(angle) * range * metre, y - Math.cos(angle) * range * metre];
    };

    context.clearRect(0, 0, width, height);
    context.fillStyle = color("--free");
    context.beginPath();
    context.moveTo(x, y);
    ranges.forEach((range, index) => context.lineTo(...place(index, range === -1 ? range_max : range ?? 0)));
    context.fill();

    context.strokeStyle = color("--line");
    context.fillStyle = color("--quiet");
    context.lineWidth = 2;
    context.font = "22px sans-serif";
    context.textAlign = "center";
    for (let ring = RINGS; ring <= range_max; ring += RINGS) {
      context.beginPath();
      context.arc(x, y, ring * metre, Math.PI, 0);
      context.stroke();
      context.fillText(`${ring} m`, x, y - ring * metre - 6);
    }

    context.fillStyle = color("--end");
    ranges.forEach((range, index) => {
      if (!(range > 0)) return;
      context.beginPath();
      context.arc(...place(index, range), 4, 0, 2 * Math.PI);
      context.fill();
    });
  }
}
