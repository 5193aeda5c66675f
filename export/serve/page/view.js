// The picture on the page: image, classes over it, the divider between two models, and
// what is under the cursor.

const $ = id => document.getElementById(id);
const frame = $("frame"), tip = $("tip"), cross = $("cross"), divider = $("divider"), stage = $("stage");

export class View {
  classes = []; // of the models: { id, name, color }
  results = {}; // by model
  shown = "main"; // a model, or "split"
  split = 0.5; // where the second model begins, a share of the width
  only = null; // the class that is pointed out
  at = null; // the position under the cursor, pixels of the image

  constructor() {
    cross.addEventListener("pointermove", e => this.point(e));
    cross.addEventListener("pointerdown", e => this.point(e));
    cross.addEventListener("pointerleave", () => this.leave());
    cross.addEventListener("blur", () => this.leave());
    cross.addEventListener("keydown", e => this.walk(e));
    divider.addEventListener("pointerdown", e => divider.setPointerCapture(e.pointerId));
    divider.addEventListener("pointermove", e => {
      if (!divider.hasPointerCapture(e.pointerId)) return;
      const box = frame.getBoundingClientRect();
      this.divide((e.clientX - box.left) / box.width);
    });
    divider.addEventListener("keydown", e => {
      const step = { ArrowLeft: -0.02, ArrowDown: -0.02, ArrowRight: 0.02, ArrowUp: 0.02, PageUp: 0.1, PageDown: -0.1, Home: -1, End: 1 }[e.key];
      if (step === undefined) return;
      e.preventDefault();
      this.divide(this.split + step);
    });
    new ResizeObserver(() => this.layOut()).observe(stage);
  }

  // show puts an image on the stage, without classes yet.
  show(bitmap) {
    this.results = {};
    this.only = null;
    const image = $("image");
    image.width = this.width = bitmap.width;
    image.height = this.height = bitmap.height;
    image.getContext("2d").drawImage(bitmap, 0, 0);
    $("empty").hidden = true;
    frame.hidden = false;
    this.layOut();
    this.draw();
  }

  // layOut makes the picture as large as the window has room for.
  layOut() {
    if (frame.hidden) return;
    const tallest = Math.max(240, window.innerHeight * (window.innerWidth > 860 ? 0.74 : 0.6));
    const width = Math.min(stage.clientWidth, (tallest * this.width) / this.height);
    frame.style.width = `${width}px`;
    frame.style.height = `${(width * this.height) / this.width}px`;
  }

  setResults(results) {
    this.results = results;
    this.draw();
  }

  // draw paints the classes.
  draw() {
    for (const model of ["main", "compare"]) {
      const canvas = $(`over-${model}`), result = this.results[model];
      canvas.hidden = !result || (this.shown !== "split" && this.shown !== model);
      if (!result) continue;
      canvas.width = result.width;
      canvas.height = result.height;
      const palette = new Uint32Array(256), little = new Uint8Array(palette.buffer);
      for (const { id, color } of this.classes) {
        for (let c = 0; c < 3; c++) little[4 * id + c] = parseInt(color.slice(1 + 2 * c, 3 + 2 * c), 16);
        little[4 * id + 3] = this.only === null || this.only === id ? 255 : 0;
      }
      if (this.only === 255) little.set([0, 0, 0, 255], 4 * 255); // void, which no class lists
      const pixels = new Uint32Array(result.labels.length);
      result.labels.forEach((id, i) => { pixels[i] = palette[id]; });
      canvas.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer), result.width, result.height), 0, 0);
    }
    const both = this.shown === "split" && Boolean(this.results.main && this.results.compare);
    divider.hidden = !both;
    $("name-main").hidden = !(both || (this.results.compare && this.shown === "main"));
    $("name-compare").hidden = !(both || (this.results.compare && this.shown === "compare"));
    this.divide(this.split);
  }

  divide(share) {
    this.split = Math.min(Math.max(share, 0), 1);
    const percent = this.split * 100, both = !divider.hidden;
    divider.style.left = `${percent}%`;
    divider.setAttribute("aria-valuenow", Math.round(percent));
    $("over-main").style.clipPath = both ? `inset(0 ${100 - percent}% 0 0)` : "";
    $("over-compare").style.clipPath = both ? `inset(0 0 0 ${percent}%)` : "";
  }

  setOpacity(percent) {
    for (const canvas of document.querySelectorAll(".over")) canvas.style.opacity = percent / 100;
  }

  // under returns the class and the confidence at a position.
  under(x, y) {
    const model = this.shown !== "split" ? this.shown : this.results.compare && x >= this.split * this.width ? "compare" : "main";
    const result = this.results[model];
    if (!result) return null;
    const id = result.labels[y * result.width + x], c = result.confidence;
    const found = { id, ...(this.classes.find(k => k.id === id) ?? { name: "void", color: "#000000" }) };
    if (c) found.confidence = c.data[Math.floor((y * c.height) / this.height) * c.width + Math.floor((x * c.width) / this.width)] / 255;
    return found;
  }

  point(e) {
    const box = cross.getBoundingClientRect();
    const clamp = (v, n) => Math.min(Math.max(Math.floor(v), 0), n - 1);
    this.tell(clamp(((e.clientX - box.left) / box.width) * this.width, this.width), clamp(((e.clientY - box.top) / box.height) * this.height, this.height));
  }

  // walk moves the cursor by the keyboard.
  walk(e) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
    if (e.key === "Escape") return this.leave();
    if (!step) return;
    e.preventDefault();
    const [x, y] = this.at ?? [this.width >> 1, this.height >> 1];
    const far = Math.max(1, Math.round(this.width / (e.shiftKey ? 400 : 60)));
    const clamp = (v, n) => Math.min(Math.max(v, 0), n - 1);
    this.tell(clamp(x + step[0] * far, this.width), clamp(y + step[1] * far, this.height), true);
  }

  tell(x, y, mark = false) {
    this.at = [x, y];
    const found = this.under(x, y);
    tip.hidden = !found;
    this.mark(mark ? [x, y] : null);
    if (!found) return;
    tip.children[0].style.background = found.color;
    tip.children[1].textContent = found.name;
    tip.children[2].textContent = found.confidence === undefined ? "" : `${Math.round(found.confidence * 100)} %`;
    const box = cross.getBoundingClientRect(), outer = stage.getBoundingClientRect();
    const px = box.left - outer.left + ((x + 0.5) / this.width) * box.width, py = box.top - outer.top + ((y + 0.5) / this.height) * box.height;
    tip.style.left = `${Math.min(Math.max(px + 14, 4), outer.width - tip.offsetWidth - 6)}px`;
    tip.style.top = `${py > 50 ? py - tip.offsetHeight - 12 : py + 16}px`;
  }

  // mark draws the keyboard's cursor.
  mark(at) {
    const box = cross.getBoundingClientRect(), context = cross.getContext("2d");
    cross.width = box.width;
    cross.height = box.height;
    if (!at) return;
    const x = ((at[0] + 0.5) / this.width) * box.width, y = ((at[1] + 0.5) / this.height) * box.height;
    for (const [color, width] of [["#000", 4], ["#fff", 2]]) {
      context.strokeStyle = color;
      context.lineWidth = width;
      context.beginPath();
      context.arc(x, y, 8, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  leave() {
    tip.hidden = true;
    this.at = null;
    if (!frame.hidden) this.mark(null);
  }
}
