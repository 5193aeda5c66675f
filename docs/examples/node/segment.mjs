// Counts the pixels of every class in a binary PPM picture:
//
//     npm install onnxruntime-node
//     node segment.mjs M.onnx picture.ppm
//
// M.onnx: t2sda export --dynamic --output labels (input uint8-nhwc).
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

// From the folder that the program is started in, where npm install was.
const ort = createRequire(process.cwd() + '/')('onnxruntime-node');

const [model, picture] = process.argv.slice(2);
const file = readFileSync(picture);
const [, w, h] = /^P6\s+(\d+)\s+(\d+)\s+255\s/.exec(file.toString('latin1', 0, 64)).map(Number);
const rgb = new Uint8Array(file.subarray(file.length - 3 * w * h));

const session = await ort.InferenceSession.create(model);
const { labels } = await session.run({ image: new ort.Tensor('uint8', rgb, [1, h, w, 3]) }, ['labels']);
const counts = new Map();
for (const id of labels.data) counts.set(id, (counts.get(id) ?? 0) + 1);
for (const id of [...counts.keys()].sort((a, b) => a - b)) console.log(id, counts.get(id));
