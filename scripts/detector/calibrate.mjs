/**
 * Makes coco-ssd.ranges.json anew: runs the float model over pictures and writes which ranges its activations take.
 *
 *   node build.mjs --code && node scripts/detector/calibrate.mjs FOLDER...
 *
 * FOLDERs hold JPEG or PNG pictures. The committed table was made from the pictures that it names itself.
 */
import { readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cocoSsd } from './coco-ssd.mjs';

const SIZE = 300;
/** A logit below this is a score below 0.001: nobody needs to tell such apart, and the steps go to those above. */
const LEAST_LOGIT = -7;

const folder = dirname(fileURLToPath(import.meta.url));
const root = join(folder, '..', '..');
const dist = join(root, 'dist');
const nodeRequire = createRequire(import.meta.url);
const { observable, calibrate } = nodeRequire(join(dist, 'core', 'quantize', 'calibrate.js'));
const { InferenceSession, Tensor } = nodeRequire('onnxruntime-node');
const sharp = nodeRequire('sharp');

const files = process.argv
  .slice(2)
  .flatMap((from) => readdirSync(from).map((file) => join(from, file)))
  .filter((file) => /\.(jpe?g|png)$/i.test(file))
  .sort();
if (files.length === 0) throw new Error('no pictures: name folders that hold some');

async function* pictures() {
  for (const file of files) {
    const data = await sharp(file)
      .rotate()
      .removeAlpha()
      .toColourspace('srgb')
      .resize(SIZE, SIZE, { fit: 'fill', kernel: 'linear' })
      .raw()
      .toBuffer();
    yield { image: { type: 'uint8', shape: [1, SIZE, SIZE, 3], data } };
  }
}

const { model, names } = observable(cocoSsd({ root, dist, pixels: 'centred' }));
const session = await InferenceSession.create(model, { logSeverityLevel: 3 });
const run = ({ image }) => session.run({ image: new Tensor('uint8', image.data, image.shape) });
const observed = await calibrate(run, pictures(), names, (name) => name.startsWith('BoxPredictor_'));

const ranges = Object.fromEntries(
  Object.entries(observed).map(([name, [min, max]]) => {
    const least = name.endsWith('/ClassPredictor/BiasAdd') ? Math.max(min, LEAST_LOGIT) : min;
    return [name, [least, max].map((end) => Number(end.toPrecision(5)))];
  }),
);
const lines = Object.entries(ranges).map(([name, range]) => `    ${JSON.stringify(name)}: ${JSON.stringify(range)}`);
const about = `${files.length} pictures of ${process.argv
  .slice(2)
  .map((from) => from.split(/[\\/]/).filter(Boolean).at(-1))
  .join(', ')}`;
writeFileSync(
  join(folder, 'coco-ssd.ranges.json'),
  `{\n  "madeFrom": ${JSON.stringify(about)},\n  "ranges": {\n${lines.join(',\n')}\n  }\n}\n`,
);
console.log(`${lines.length} ranges from ${about}`);
