// The camera image with the class colours on it.

const RAW = { colorSpaceConversion: "none", premultiplyAlpha: "none" };

export class Screen {
  constructor(box, image, colors) {
    this.box = box;
    this.image = image;
    this.colors = colors;
    this.reader = document.createElement("canvas");
    this.palette = new Uint32Array(256);
    this.picture = null;
    this.opacity = 0.5;
  }

  // Decodes a picture and draws it. An error of the decoder is the caller's.
  async show(header, [jpeg, png]) {
    const [image, labels] = await Promise.all([decode(jpeg, "image/jpeg"), decode(png, "image/png")]);
    const sight = image ?? labels;
    resize(this.image, sight.width, sight.height);
    const context = this.image.getContext("2d", { alpha: false });
    if (image) context.drawImage(image, 0, 0);
    else context.fillRect(0, 0, sight.width, sight.height);
    this.picture = {
      ...header,
      width: sight.width,
      height: sight.height,
      hasImage: image !== null,
      labels: labels && this.read(labels),
      labelFile: labels && new Blob([png], { type: "image/png" }),
    };
    this.box.parentElement.style.setProperty("--ratio", sight.width / sight.height);
    image?.close();
    labels?.close();
    delete this.box.dataset.empty;
    this.paint();
  }

  clear() {
    this.picture = null;
    this.box.dataset.empty = "";
  }

  // palette: 256 entries, [red, green, blue] or null for a class that is not shown.
  setPalette(palette) {
    const bytes = new Uint8ClampedArray(this.palette.buffer);
    bytes.fill(0);
    palette.forEach((color, id) => color && bytes.set([...color, 255], 4 * id));
    this.paint();
  }

  setOpacity(opacity) {
    this.opacity = opacity;
    this.colors.style.opacity = opacity;
  }

  // The class id at a place of the box, each coordinate from 0 to 1; null where there is none.
  classAt(x, y) {
    const labels = this.picture?.labels;
    if (!labels || x < 0 || y < 0 || x >= 1 || y >= 1) return null;
    return labels.ids[Math.floor(y * labels.height) * labels.width + Math.floor(x * labels.width)];
  }

  // What is on the screen, in the image's own resolution.
  overlay() {
    const canvas = document.createElement("canvas");
    resize(canvas, this.image.width, this.image.height);
    const context = canvas.getContext("2d", { alpha: false });
    context.drawImage(this.image, 0, 0);
    context.globalAlpha = this.opacity;
    context.imageSmoothingEnabled = false;
    if (this.picture.labels) context.drawImage(this.colors, 0, 0, canvas.width, canvas.height);
    return file(canvas);
  }

  // The image as it came over the network, with JPEG's losses.
  lossyImage() {
    return file(this.image);
  }

  read(labels) {
    resize(this.reader, labels.width, labels.height);
    const context = this.reader.getContext("2d", { alpha: false, willReadFrequently: true });
    context.drawImage(labels, 0, 0);
    const { data } = context.getImageData(0, 0, labels.width, labels.height);
    const ids = new Uint8Array(labels.width * labels.height);
    for (let i = 0; i < ids.length; i += 1) ids[i] = data[4 * i];
    return { ids, width: labels.width, height: labels.height };
  }

  paint() {
    const labels = this.picture?.labels;
    const context = this.colors.getContext("2d");
    if (!labels) {
      context.clearRect(0, 0, this.colors.width, this.colors.height);
      return;
    }
    resize(this.colors, labels.width, labels.height);
    const pixels = context.createImageData(labels.width, labels.height);
    const words = new Uint32Array(pixels.data.buffer);
    for (let i = 0; i < words.length; i += 1) words[i] = this.palette[labels.ids[i]];
    context.putImageData(pixels, 0, 0);
  }
}

async function decode(bytes, type) {
  return bytes.length ? createImageBitmap(new Blob([bytes], { type }), RAW) : null;
}

function resize(canvas, width, height) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}

function file(canvas) {
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}
