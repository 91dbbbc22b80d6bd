import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cocoSsd, loadCore, PACKAGE } from './detector/coco-ssd.mjs';

/**
 * Makes the packaged detector, dist/models/coco-ssd-mobilenet-v2-int8.onnx, out of the pinned npm package and the committed
 * table of activation ranges; and its float twin for measuring, .cache/edgeloom/coco-ssd-mobilenet-v2-fp32.onnx, which is not
 * shipped. The arithmetic is the same on every machine, so the result must be the one that the catalogue names: a table or
 * a quantizer that changed needs a new hash there, and new figures in docs/models/default-detector.md.
 */
export async function buildDetector({ root, dist }) {
  const entry = JSON.parse(readFileSync(join(root, 'core', 'model', 'catalogue', 'coco-ssd-mobilenet-v2-int8.json'), 'utf8'));
  const { ranges } = JSON.parse(readFileSync(join(root, 'scripts', 'detector', 'coco-ssd.ranges.json'), 'utf8'));
  const { quantizeModel } = loadCore(dist);

  const { model } = quantizeModel(cocoSsd({ root, dist, pixels: 'centred' }), { ranges });
  mkdirSync(join(dist, 'models'), { recursive: true });
  const to = join(dist, 'models', `${entry.id}.onnx`);
  writeFileSync(to, model);
  writeFileSync(join(root, '.cache', 'edgeloom', 'coco-ssd-mobilenet-v2-fp32.onnx'), cocoSsd({ root, dist, pixels: 'exact' }));

  const sha256 = createHash('sha256').update(model).digest('hex');
  if (sha256 !== entry.sha256 || model.length !== entry.size) {
    throw new Error(
      `the detector made from ${PACKAGE.name}@${PACKAGE.version} has sha256 ${sha256} and ${model.length} bytes, ` +
        `the catalogue says ${entry.sha256} and ${entry.size}. If the change is meant, measure it ` +
        `(npm run bench -- detection) and write the new hash and size into core/model/catalogue/${entry.id}.json`,
    );
  }
}
