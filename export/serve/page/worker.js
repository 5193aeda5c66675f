// Runs a model in the browser: the image is decoded, brought to the model's size, run
// through ONNX Runtime for browsers and read again as export/predict does it on the
// server. By recipe, what GET /v1/model says of a model.
import { resize } from "/page/resize.js";
import { argmax, confidence, logarithms, nearest, readGrid } from "/page/logits.js";

const maxStride = 64, confidenceEdge = 512;
const quiet = { logSeverityLevel: 4 }; // sizes that a model does not take are tried, see runPadded
let runtime; // the promise of { ort, provider, text }
let started = false;
const sessions = new Map(); // by model

// One image after the other: on a GPU ONNX Runtime keeps the state of one run that waits for it.
let last = Promise.resolve();
onmessage = ({ data }) => {
  last = last.then(() => answer(data));
};

async function answer(data) {
  try {
    const result = await segment(data, text => postMessage({ id: data.id, progress: text }));
    postMessage({ id: data.id, result }, [result.labels.buffer]);
  } catch (e) {
    postMessage({ id: data.id, error: String(e?.message ?? e), broken: !started }); // an import that failed is kept
  }
}

async function startRuntime() {
  let adapter = null;
  try {
    adapter = await navigator.gpu?.requestAdapter();
  } catch { /* then there is none */ }
  const ort = await import(adapter ? "/ort/ort.webgpu.min.mjs" : "/ort/ort.wasm.min.mjs");
  ort.env.logLevel = "fatal";
  ort.env.wasm.wasmPaths = "/ort/";
  const threads = self.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency || 1, 8) : 1;
  ort.env.wasm.numThreads = threads;
  return { ort, provider: adapter ? "webgpu" : "wasm", text: adapter ? "WebGPU" : `WebAssembly × ${threads}` };
}

async function openSession({ model, headers }, { ort, provider }) {
  const response = await fetch(`/v1/model/file?model=${model.key}`, { headers });
  if (!response.ok) throw new Error((await response.json()).detail);
  return ort.InferenceSession.create(await response.arrayBuffer(), { executionProviders: [provider], ...quiet });
}

async function segment(task, say) {
  if (!task.model.recipe.single) throw new Error("the server runs this model in windows, sizes or mirrorings, which the browser does not");
  say("Starting ONNX Runtime in the browser …");
  const engine = await (runtime ??= startRuntime());
  started = true;
  say("Fetching the model …");
  const { key } = task.model;
  if (!sessions.has(key)) sessions.set(key, openSession(task, engine));
  let session;
  try {
    session = await sessions.get(key);
  } catch (e) {
    sessions.delete(key); // to be tried again
    throw e;
  }
  say("Running the model in the browser …");
  const began = performance.now();
  const image = await decode(task.file);
  const decoded = performance.now();
  const { recipe } = task.model;
  const takes = session.inputMetadata?.find(v => v.name === recipe.input.name)?.type;
  if (takes && takes !== recipe.input.type) throw new Error(`the model takes ${takes}, which the server runs as ${recipe.input.type} and the browser does not`);
  const [w, h] = modelSize(recipe, image.width, image.height);
  const pixels = resize(image.pixels, image.width, image.height, w, h);
  const run = await runPadded(engine.ort, session, recipe, pixels, w, h, task.classes);
  const ran = performance.now();
  const result = { width: image.width, height: image.height, engine: engine.text, ...labelsOf(run, recipe, image.width, image.height) };
  result.times = { decode: decoded - began, run: ran - decoded, answer: performance.now() - ran };
  return result;
}

// decode returns packed RGB, upright, without colour management.
async function decode(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  } catch {
    throw new Error("this browser cannot read the image; the server may");
  }
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const rgba = context.getImageData(0, 0, width, height).data, pixels = new Uint8Array(3 * width * height);
  for (let i = 0, k = 0; i < rgba.length; i += 4) {
    pixels[k++] = rgba[i];
    pixels[k++] = rgba[i + 1];
    pixels[k++] = rgba[i + 2];
  }
  return { width, height, pixels };
}

// modelSize is what an image is brought to (Inference.base).
function modelSize(recipe, w, h) {
  const scaled = (n, s) => Math.max(1, Math.floor(n * s + 0.5));
  if (recipe.width > 0) return [recipe.width, recipe.height];
  if (recipe.input.height > 0) return [scaled(w, recipe.input.height / h), recipe.input.height];
  if (recipe.input.width > 0) return [recipe.input.width, scaled(h, recipe.input.width / w)];
  return [w, h];
}

// sizes lists what an input of w × h may be continued to, smallest first.
function sizes({ input, divisor }, w, h) {
  const up = (n, fixed, d) => (fixed > 0 ? fixed : Math.ceil(n / d) * d), all = [];
  for (let d = divisor || 1; d <= (divisor || maxStride); d *= 2) {
    const size = [up(w, input.width, d), up(h, input.height, d)];
    if (!all.some(s => s[0] === size[0] && s[1] === size[1])) all.push(size);
  }
  return all;
}

// runPadded runs the model on the picture, continued to one size after the other until
// the model takes it and gives it back whole.
async function runPadded(ort, session, recipe, pixels, w, h, classes) {
  let fault, cut;
  const ids = recipe.output.train_ids;
  const channels = n => (ids ? ids.every((train, id) => (id < n ? train !== -1 : train < 0 || train === 255)) : n === classes);
  for (const [W, H] of sizes(recipe, w, h)) {
    let output;
    try {
      const { input } = recipe;
      output = (await session.run({ [input.name]: tensor(ort, input, pixels, w, h, W, H) }, quiet))[recipe.output.name];
    } catch (e) {
      fault ??= e;
      continue;
    }
    const grid = readGrid([...output.dims], output.type === "float32", channels, recipe.output.threshold);
    const run = { grid, data: await output.getData(), spanW: (grid.w * w) / W, spanH: (grid.h * h) / H };
    const short = (n, of) => n < of && 2 * n > of;
    if (!short(grid.w, W) && !short(grid.h, H)) return run;
    cut ??= run;
  }
  if (cut) return cut;
  throw fault;
}

// mirror maps a position onto [0, n) as two mirrors do, without repeating the ends.
const mirror = (i, n) => (n === 1 ? 0 : Math.min(i % (2 * n - 2), 2 * n - 2 - (i % (2 * n - 2))));

// tensor writes the picture, continued by reflection, as the model takes it.
function tensor(ort, input, pixels, w, h, W, H) {
  const last = input.layout === "nhwc", data = new (input.type === "uint8" ? Uint8Array : Float32Array)(3 * W * H);
  for (let c = 0; c < 3; c++) {
    const values = input.values?.[c], from = input.channels[c];
    for (let y = 0; y < H; y++) {
      const row = 3 * w * mirror(y, h);
      for (let x = 0; x < W; x++) {
        const v = pixels[row + 3 * mirror(x, w) + from];
        data[last ? 3 * (y * W + x) + c : (c * H + y) * W + x] = values ? values[v] : v;
      }
    }
  }
  const dims = last ? [H, W, 3] : [3, H, W];
  return new ort.Tensor(input.type, data, input.batch ? [1, ...dims] : dims);
}

// labelsOf reads a run's output at the image's size.
function labelsOf({ grid, data, spanW, spanH }, { output }, width, height) {
  const { c, h, w } = grid, table = output.train_ids;
  if (grid.kind === "ids") {
    const pix = Uint8Array.from(data, v => {
      const id = Number(v), train = table ? table[id] : id;
      if (train === undefined || train < 0) throw new Error(`the model predicts id ${v}, which stands for no class`);
      return train;
    });
    return { labels: nearest(pix, w, Math.max(1, Math.round(spanW)), Math.max(1, Math.round(spanH)), width, height) };
  }
  let pix = data;
  if (output.softmax) {
    pix = logarithms(data);
  } else if (grid.kind === "scores") {
    pix = new Float32Array(2 * data.length);
    data.forEach((v, i) => { pix[i] = output.threshold - v; });
  } else if (grid.last) {
    pix = new Float32Array(data.length);
    for (let i = 0; i < h * w; i++) for (let k = 0; k < c; k++) pix[k * h * w + i] = data[i * c + k];
  }
  const map = { c, h, w, pix, spanW, spanH }, labels = argmax(map, width, height);
  if (table) for (let i = 0; i < labels.length; i++) labels[i] = table[labels[i]];
  if (grid.kind === "scores") return { labels };
  const longer = Math.max(width, height, confidenceEdge);
  const cw = Math.max(1, Math.floor((width * confidenceEdge) / longer)), ch = Math.max(1, Math.floor((height * confidenceEdge) / longer));
  return { labels, confidence: { width: cw, height: ch, data: confidence(map, cw, ch) } };
}
