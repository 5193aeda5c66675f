// What internal/resize does in Go, to the bit: along the rows, then down the columns,
// bilinearly, over the covered area when shrinking, with weights of 13 bits and rounding
// to 8 bits after each.

const bits = 13, half = 1 << (bits - 1);
const kernel = x => Math.max(0, 1 - Math.abs(x));

function weights(from, to) {
  const step = from / to, scale = Math.max(step, 1), reach = Math.ceil(scale);
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * step - 0.5;
    let first = Math.max(Math.ceil(centre - reach), 0);
    const last = Math.min(Math.floor(centre + reach), from - 1);
    while (kernel((first - centre) / scale) === 0 && first < last) first++;
    const exact = [];
    for (let u = first; u <= last; u++) exact.push(kernel((u - centre) / scale));
    return { first, weight: quantise(exact) };
  });
}

// quantise divides 1 among the weights in proportion: what rounding leaves over goes to
// the largest.
function quantise(exact) {
  const sum = exact.reduce((a, b) => a + b, 0);
  let left = 1 << bits, largest = 0;
  const out = exact.map((v, i) => {
    if (v > exact[largest]) largest = i;
    const n = Math.floor((v / sum) * (1 << bits) + 0.5); // of numbers above 0, Go's Round
    left -= n;
    return n;
  });
  out[largest] += left;
  return out;
}

// resize returns packed RGB of w0 × h0 pixels at w × h.
export function resize(src, w0, h0, w, h) {
  if (w0 === w && h0 === h) return src;
  const across = weights(w0, w), down = weights(h0, h);
  const rows = new Uint8Array(3 * w * h0), out = new Uint8Array(3 * w * h);
  for (let y = 0; y < h0; y++) {
    for (let x = 0; x < w; x++) {
      const { first, weight } = across[x];
      let r = half, g = half, b = half, at = 3 * (y * w0 + first);
      for (const f of weight) {
        r += f * src[at++];
        g += f * src[at++];
        b += f * src[at++];
      }
      const to = 3 * (y * w + x);
      rows[to] = r >> bits;
      rows[to + 1] = g >> bits;
      rows[to + 2] = b >> bits;
    }
  }
  for (let y = 0; y < h; y++) {
    const { first, weight } = down[y];
    for (let i = 0; i < 3 * w; i++) {
      let sum = half;
      for (let k = 0; k < weight.length; k++) sum += weight[k] * rows[3 * w * (first + k) + i];
      out[3 * w * y + i] = sum >> bits;
    }
  }
  return out;
}
