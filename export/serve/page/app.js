// The page: images in, what the models make of them on it.
import { ask, headers, preview, segment, setToken, TokenWanted } from "/page/server.js";
import { View } from "/page/view.js";
import { encodeGray } from "/page/png.js";

const $ = id => document.getElementById(id);
const view = new View();
const results = { server: {}, browser: {} }; // of the image on the stage, by where, then by model
let about; // GET /v1/model
let image = null; // { file, name }
let where = "server";
let turn = 0; // of images on the stage and tabs: what comes for an earlier one is left
let stop = new AbortController();
let opening = new AbortController(); // of an image on its way to the stage; the one there stays until it can be shown
let worker = null;
let asked = 0; // of the worker
const waiting = new Map(); // for its answers, by number

async function start() {
  try {
    about = await (await ask("/v1/model")).json();
  } catch (e) {
    if (e instanceof TokenWanted) return wantToken(e);
    return tell(e);
  }
  const [main, compare] = about.models;
  $("model").textContent = compare ? `${main.name} · ${compare.name}` : main.name;
  if (main.miou !== undefined) {
    $("miou").textContent = `mIoU ${(100 * main.miou).toFixed(1)} %`;
    $("miou").title = "On the target domain's validation split, as the model says of itself";
    $("miou").hidden = false;
  }
  $("formats").textContent += ` · up to ${Math.round(about.limits.bytes / 2 ** 20)} MB and ${Math.floor(about.limits.pixels / 1e6)} megapixels`;
  view.classes = about.classes;
  if (compare && $("views").hidden) {
    const spans = $("views").querySelectorAll("span");
    spans[0].textContent = $("name-main").textContent = main.name;
    spans[2].textContent = $("name-compare").textContent = compare.name;
    $("views").hidden = false;
    view.shown = "split";
  }
  showLegend();
  showNote();
  showSamples();
  if (image) look(); // what waited for a token
}

function wantToken(e) {
  $("token").hidden = false;
  $("note").textContent = e.message;
  $("token-text").focus();
}

$("token").addEventListener("submit", e => {
  e.preventDefault();
  setToken($("token-text").value);
  $("token").hidden = true;
  start();
});

async function showSamples() {
  $("sample-list").replaceChildren();
  for (let i = 0; i < about.samples; i++) {
    const button = document.createElement("button"), picture = new Image();
    picture.alt = `Sample ${i + 1}: a rendered street`;
    button.append(picture);
    $("sample-list").append(button);
    try {
      const blob = await (await ask(`/v1/samples/${i}`)).blob();
      picture.src = URL.createObjectURL(blob);
      button.addEventListener("click", () => open(blob, `sample-${i + 1}.png`));
    } catch (e) {
      tell(e);
    }
  }
}

// open puts an image on the stage and has it looked at.
async function open(file, name) {
  opening.abort();
  const { signal } = (opening = new AbortController());
  tell(null);
  busy("Reading the image …");
  try {
    if (about && file.size > about.limits.bytes) throw new Error(`${name} has ${(file.size / 2 ** 20).toFixed(1)} MB, more than the ${Math.round(about.limits.bytes / 2 ** 20)} MB that are taken.`);
    let bitmap;
    try {
      bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" });
    } catch {
      if (where === "browser") throw new Error("This browser cannot read it. The server may, in its tab.");
      bitmap = await preview(file, signal); // of a format that this browser does not know
    }
    if (signal.aborted) return bitmap.close();
    stop.abort();
    stop = new AbortController();
    image = { file, name };
    results.server = {};
    results.browser = {};
    view.show(bitmap);
    bitmap.close();
    $("controls").hidden = false;
  } catch (e) {
    if (signal.aborted || e.name === "AbortError") return;
    busy(null);
    if (e instanceof TokenWanted) return wantToken(e);
    return tell(e, `${name} cannot be shown`);
  }
  look();
}

// look has the image looked at where the tab says, unless that was done.
async function look() {
  const mine = ++turn, here = where, seen = results[here];
  tell(null);
  view.setResults(seen);
  showResult();
  if (!about) return busy(null); // a token is wanted first, see start
  try {
    for (const model of about.models) {
      if (seen[model.key]) continue;
      busy(here === "server" ? "The server looks …" : "Looking …");
      const result = here === "server" ? await segment(image.file, model.key, stop.signal) : await inBrowser(model, text => mine === turn && busy(text));
      if (seen !== results[here]) return; // of another image
      seen[model.key] = result;
      if (mine !== turn) return;
      view.setResults(seen);
      showResult();
    }
    if (mine === turn) busy(null);
  } catch (e) {
    if (mine !== turn || e.name === "AbortError") return;
    busy(null);
    if (e instanceof TokenWanted) return wantToken(e);
    tell(e);
  }
}

// inBrowser asks the worker, which runs the model itself.
function inBrowser(model, say) {
  if (!about.web.available) return Promise.reject(new Error(about.web.missing));
  worker ??= startWorker();
  const id = ++asked;
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject, say });
    worker.postMessage({ id, file: image.file, model, headers: headers(), classes: about.classes.length });
  });
}

function startWorker() {
  const started = new Worker("/page/worker.js", { type: "module" });
  started.onerror = e => {
    e.preventDefault();
    dropWorker(new Error(`The browser cannot run the model: ${e.message || "its worker does not start"}`));
  };
  started.onmessage = ({ data }) => {
    const task = waiting.get(data.id);
    if (!task) return;
    if (data.progress) return task.say(data.progress);
    waiting.delete(data.id);
    if (!data.error) return task.resolve(data.result);
    task.reject(new Error(data.error));
    if (data.broken) dropWorker(new Error(data.error));
  };
  return started;
}

// dropWorker ends a worker that can do nothing any more; the next image gets another.
function dropWorker(error) {
  worker?.terminate();
  worker = null;
  for (const { reject } of waiting.values()) reject(error);
  waiting.clear();
}

// The model whose result the panel is about.
const focused = () => results[where][view.shown === "compare" ? "compare" : "main"];

function showResult() {
  const result = focused(), facts = $("facts");
  facts.hidden = !result;
  facts.replaceChildren();
  $("download").disabled = !result;
  showLegend();
  showNote();
  if (!result) return;
  const { times } = result, all = Object.values(times).reduce((a, b) => a + b, 0);
  fact("Image", `${result.width} × ${result.height} px`);
  fact("Ran in", result.engine);
  fact("Model", `${Math.round(times.run)} ms`, "The run alone");
  fact("All", `${Math.round(all)} ms`, Object.entries(times).map(([name, ms]) => `${name} ${ms.toFixed(1)} ms`).join(", "));
  const key = view.shown === "compare" ? "compare" : "main", other = results[where === "server" ? "browser" : "server"][key];
  if (other) fact(where === "server" ? "Same as the browser" : "Same as the server", percent(agreement(result, other), 2), "The share of pixels that get the same class");
  if (results[where].main && results[where].compare) fact("Both models agree", percent(agreement(results[where].main, results[where].compare), 1), "The share of pixels that get the same class");
}

function fact(name, text, title = "") {
  const dt = document.createElement("dt"), dd = document.createElement("dd");
  dt.textContent = name;
  dd.textContent = text;
  dd.title = title;
  $("facts").append(dt, dd);
}

const percent = (share, digits) => `${(Math.floor(share * 100 * 10 ** digits) / 10 ** digits).toFixed(digits)} %`;

function agreement(a, b) {
  let same = 0;
  for (let i = 0; i < a.labels.length; i++) if (a.labels[i] === b.labels[i]) same++;
  return same / a.labels.length;
}

// showLegend lists the classes, those of the image first, the largest on top.
function showLegend() {
  const result = focused(), counts = new Array(256).fill(0);
  result?.labels.forEach(id => counts[id]++);
  const order = [...view.classes].sort((a, b) => counts[b.id] - counts[a.id] || a.id - b.id);
  if (counts[255] > 0) order.push({ id: 255, name: "void", color: "#000000" });
  $("legend-title").textContent = result ? "Classes in the image" : "Classes";
  $("legend").replaceChildren(...order.map(c => legendItem(c, result ? counts[c.id] / result.labels.length : null)));
}

function legendItem({ id, name, color }, share) {
  const item = document.createElement("li"), button = document.createElement("button");
  const swatch = document.createElement("i"), text = document.createElement("span"), number = document.createElement("span"), bar = document.createElement("span");
  swatch.style.background = color;
  text.textContent = name;
  bar.className = "bar";
  bar.style.setProperty("--color", color);
  bar.style.setProperty("--share", `${(share ?? 0) * 100}%`);
  if (share !== null) number.textContent = share === 0 ? "–" : share < 0.001 ? "< 0.1 %" : `${(share * 100).toFixed(1)} %`;
  button.className = share === 0 ? "none" : "";
  button.title = share ? "Show this class alone" : "";
  button.disabled = !share && view.only !== id;
  button.setAttribute("aria-pressed", String(view.only === id));
  button.append(swatch, text, bar, number);
  button.addEventListener("click", () => {
    view.only = view.only === id ? null : id;
    view.draw();
    showLegend();
    [...$("legend").querySelectorAll("button")].find(b => b.children[1].textContent === name)?.focus();
  });
  item.append(button);
  return item;
}

function showNote() {
  if (!about) return;
  const browser = where === "browser", missing = browser && !about.web.available;
  $("note").textContent = missing ? `The model cannot run in the browser yet. ${about.web.missing}.`
    : browser ? "The same model, run by this browser: the image does not leave it." : "The model runs on the server, in ONNX Runtime.";
}

function busy(text) {
  $("busy").hidden = text === null;
  if (text !== null) $("busy").lastElementChild.textContent = text;
}

function tell(error, title = "That did not work") {
  const box = $("problem");
  box.hidden = !error;
  if (!error) return;
  box.firstElementChild.textContent = title;
  box.lastElementChild.textContent = error.message;
}

// Ways in: files, drops, the clipboard.
for (const button of document.querySelectorAll(".choose")) button.addEventListener("click", () => $("file").click());
$("file").addEventListener("change", e => {
  const [file] = e.target.files;
  e.target.value = "";
  if (file) open(file, file.name);
});
let over = 0; // elements that the dragged file has entered
addEventListener("dragenter", () => { over++; $("drop").hidden = false; });
addEventListener("dragleave", () => { if (--over <= 0) $("drop").hidden = true; });
addEventListener("dragover", e => e.preventDefault());
addEventListener("drop", e => {
  e.preventDefault();
  over = 0;
  $("drop").hidden = true;
  const [file] = e.dataTransfer.files;
  if (file) open(file, file.name);
  else tell(new Error("What was dropped is no file: save the image first, and drop that."));
});
addEventListener("paste", e => {
  const file = [...(e.clipboardData?.files ?? [])].find(f => f.type.startsWith("image/"));
  if (file) open(file, file.name);
});

// Tabs, by mouse and arrow keys.
const tabs = { server: $("tab-server"), browser: $("tab-browser") };
function choose(next, focus = false) {
  where = next;
  for (const [name, tab] of Object.entries(tabs)) {
    tab.setAttribute("aria-selected", String(name === next));
    tab.tabIndex = name === next ? 0 : -1;
  }
  $("work").setAttribute("aria-labelledby", `tab-${next}`);
  if (focus) tabs[next].focus();
  tell(null);
  busy(null);
  if (image) look();
  else showNote();
}
for (const [name, tab] of Object.entries(tabs)) {
  tab.addEventListener("click", () => choose(name));
  tab.addEventListener("keydown", e => {
    if (["ArrowLeft", "ArrowRight", "Home", "End"].includes(e.key)) choose(name === "server" ? "browser" : "server", true);
  });
}

$("opacity").addEventListener("input", e => {
  view.setOpacity(e.target.value);
  $("opacity-out").textContent = `${e.target.value} %`;
});
view.setOpacity($("opacity").value);
$("views").addEventListener("change", e => {
  view.shown = e.target.value;
  view.draw();
  showResult();
});
$("download").addEventListener("click", async () => {
  const result = focused(), link = document.createElement("a");
  link.href = URL.createObjectURL(await encodeGray(result.labels, result.width, result.height));
  link.download = `${image.name.replace(/\.[^.]*$/, "")}-labels.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
});

// Dark or light: the system's wish, until somebody chooses.
const dark = matchMedia("(prefers-color-scheme: dark)");
const theme = () => { document.documentElement.dataset.theme = localStorage.getItem("t2sda-theme") ?? (dark.matches ? "dark" : "light"); };
dark.addEventListener("change", theme);
$("theme").addEventListener("click", () => {
  localStorage.setItem("t2sda-theme", document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  theme();
});
theme();
start();
