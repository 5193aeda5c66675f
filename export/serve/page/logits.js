// What export/predict does with a run's output, in Go: logits resized bilinearly with
// half-pixel centres and then the largest, label maps by the nearest pixel.

// taps are those of a linear resize from the first span of n positions to m.
function taps(n, span, m) {
  return Array.from({ length: m }, (_, i) => {
    const at = Math.min(Math.max(((i + 0.5) * span) / m - 0.5, 0), n - 1), lo = Math.floor(at);
    return { lo, hi: Math.min(lo + 1, n - 1), f: at - lo };
  });
}

// rows calls f(y, values) with every row of the logits [c,h,w] at width × height, [c,width].
function rows(map, width, height, f) {
  const { c, h, w, pix, spanW, spanH } = map;
  const columns = taps(w, spanW, width), values = new Float32Array(c * width), mixed = new Float32Array(w);
  taps(h, spanH, height).forEach((row, y) => {
    for (let k = 0; k < c; k++) {
      const top = (k * h + row.lo) * w, bottom = (k * h + row.hi) * w;
      for (let x = 0; x < w; x++) mixed[x] = pix[top + x] * (1 - row.f) + pix[bottom + x] * row.f;
      for (let x = 0; x < width; x++) {
        const t = columns[x];
        values[k * width + x] = mixed[t.lo] * (1 - t.f) + mixed[t.hi] * t.f;
      }
    }
    f(y, values);
  });
}

// argmax returns the labels of the logits at width × height.
export function argmax(map, width, height) {
  const labels = new Uint8Array(width * height), best = new Float32Array(width);
  rows(map, width, height, (y, values) => {
    const ids = labels.subarray(y * width, (y + 1) * width);
    best.set(values.subarray(0, width));
    for (let k = 1; k < map.c; k++) {
      for (let x = 0, at = k * width; x < width; x++, at++) {
        if (values[at] > best[x]) {
          best[x] = values[at];
          ids[x] = k;
        }
      }
    }
    for (let x = 0; x < width; x++) if (!Number.isFinite(best[x])) throw new Error("the model's logits are not finite");
  });
  return labels;
}

// confidence returns 255 times the probability of the most probable class.
export function confidence(map, width, height) {
  const out = new Uint8Array(width * height);
  rows(map, width, height, (y, values) => {
    for (let x = 0; x < width; x++) {
      let most = -Infinity, sum = 0;
      for (let k = 0; k < map.c; k++) most = Math.max(most, values[k * width + x]);
      for (let k = 0; k < map.c; k++) sum += Math.exp(values[k * width + x] - most);
      out[y * width + x] = Math.round(255 / sum);
    }
  });
  return out;
}

// logarithms turns probabilities into logits that they are the softmax of, finite where one is 0.
export const logarithms = probabilities => probabilities.map(v => Math.log(Math.max(v, 2 ** -126)));

// nearest samples a label map of w × h, of which the first spanW × spanH count.
export function nearest(pix, w, spanW, spanH, width, height) {
  const out = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const from = Math.floor(((2 * y + 1) * spanH) / (2 * height)) * w;
    for (let x = 0; x < width; x++) out[y * width + x] = pix[from + Math.floor(((2 * x + 1) * spanW) / (2 * width))];
  }
  return out;
}

// readGrid says what an output of these dimensions is (export/predict/grid.go).
export function readGrid(dims, float, channels, threshold) {
  let d = dims.length > 2 && dims[0] === 1 ? dims.slice(1) : dims;
  if (float && d.length === 3 && channels(d[0])) return { kind: "logits", c: d[0], h: d[1], w: d[2] };
  if (float && d.length === 3 && channels(d[2])) return { kind: "logits", c: d[2], h: d[0], w: d[1], last: true };
  if (d.length === 3 && d[0] === 1) d = d.slice(1);
  else if (d.length === 3 && d[2] === 1) d = d.slice(0, 2);
  if (d.length !== 2) throw new Error(`the output has shape [${dims}], neither logits of the classes nor a label map`);
  return { kind: threshold === undefined ? "ids" : "scores", c: 2, h: d[0], w: d[1] };
}
