import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Field 6 of ONNX's ModelProto, doc_string, with two bytes: other bytes, the same model. */
const OTHER_BYTES = Buffer.from([0x32, 0x02, 0x76, 0x32]);

/**
 * Two versions of the packaged detector as folders with a manifest and the packaged golden sample: the same weights in different
 * files, so that both cost the same and each change is a real one.
 * @param root the project's, which was built.
 */
export function twoVersions(folder: string, root: string): [string, string] {
  const id = 'coco-ssd-mobilenet-v2-int8';
  const catalogue = join(root, 'dist', 'core', 'model', 'catalogue', `${id}.json`);
  const { sha256: _sha256, size: _size, source: _source, ...manifest } = JSON.parse(readFileSync(catalogue, 'utf8'));
  const model = readFileSync(join(root, 'dist', 'models', `${id}.onnx`));
  return ['1', '2'].map((version) => {
    const to = join(folder, `version-${version}`);
    mkdirSync(join(to, 'golden'), { recursive: true });
    writeFileSync(join(to, 'model.onnx'), version === '1' ? model : Buffer.concat([model, OTHER_BYTES]));
    writeFileSync(join(to, 'model.json'), JSON.stringify({ ...manifest, id: 'detector', version }));
    for (const { input } of (manifest.golden ?? []) as { input: string }[]) {
      writeFileSync(join(to, input), readFileSync(join(root, 'dist', 'models', input)));
    }
    return to;
  }) as [string, string];
}

/** Pictures of the packaged recording, as files; an MJPEG file has them end to end. */
export function samplePictures(folder: string, count: number, root: string): void {
  let bytes = readFileSync(join(root, 'dist', 'samples', 'person-at-desk.mjpeg'));
  for (let index = 0; index < count && bytes.length > 0; index++) {
    const end = bytes.indexOf(Buffer.from([0xff, 0xd9])) + 2;
    writeFileSync(join(folder, `${String(index).padStart(3, '0')}.jpg`), bytes.subarray(0, end));
    bytes = bytes.subarray(end);
  }
}
