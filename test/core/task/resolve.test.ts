import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onnxModel } from '../../../bench/support/graph';
import { catalogue, inspectModel, ModelStore, openTask, resolveModel } from '../../../core/task';
import { itWith, SHARED } from '../../support/needs';
import { startSecureServer } from '../../support/secure-server';
import { COLOURS, colourDetector, Workshop } from './models';

let workshop: Workshop;
let store: ModelStore;
const mirror = process.env.EDGELOOM_MODEL_MIRROR;
beforeEach(() => {
  workshop = new Workshop();
  store = new ModelStore(join(workshop.folder, 'store'));
  delete process.env.EDGELOOM_MODEL_MIRROR;
});
afterEach(() => {
  workshop.remove();
  if (mirror !== undefined) process.env.EDGELOOM_MODEL_MIRROR = mirror;
});

const place = (name: string, content: Uint8Array | string) => {
  const path = join(workshop.folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, content);
  return path;
};
/** A model file with the manifest text `json` beside it. */
const beside = (json: string) => {
  place('m.json', json);
  return place('m.onnx', colourDetector());
};
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const { source: _source, ...said } = COLOURS;

describe('a model on this machine', () => {
  it('is a file with its manifest beside it, under the same name', async () => {
    const path = place('colours.onnx', colourDetector());
    place('colours.json', JSON.stringify(said));
    const model = await resolveModel(path, { store });
    expect(model).toMatchObject({ path, sha256: sha256(colourDetector()), storeFolder: store.folder });
    expect(model.manifest).toMatchObject({
      id: 'colours',
      version: '3',
      labels: ['red', 'green', 'blue'],
      size: colourDetector().length,
    });
  });

  it('is a folder with model.json, which may name the file', async () => {
    place('one/model.json', JSON.stringify(said));
    place('one/whatever.onnx', colourDetector());
    expect((await resolveModel(join(workshop.folder, 'one'), { store })).path).toMatch(/whatever\.onnx$/);
    place('two/model.json', JSON.stringify({ ...said, source: 'b.onnx' }));
    place('two/a.onnx', 'not this one');
    place('two/b.onnx', colourDetector());
    expect((await resolveModel(join(workshop.folder, 'two'), { store })).path).toMatch(/b\.onnx$/);
  });

  it('may say everything through the dialog instead, which overrules the file beside it', async () => {
    const path = place('colours.onnx', colourDetector());
    place('colours.json', JSON.stringify({ ...said, title: 'From the file' }));
    const manifest = { title: 'From the dialog', output: { scoreThreshold: 0.9 } };
    const model = await resolveModel(path, { store, manifest });
    expect(model.manifest).toMatchObject({ title: 'From the dialog', output: { head: 'ssd', scoreThreshold: 0.9 } });
  });

  it('is asked for what nobody said, and shown as far as it is known', async () => {
    const path = place('My Detector!.onnx', colourDetector());
    await expect(resolveModel(path, { store })).rejects.toMatchObject({
      code: 'EDGE_MODEL_INCOMPLETE',
      message: expect.stringMatching(/input\.colours, input\.fit, input\.mean, input\.scale/),
    });
    expect(await inspectModel(path, { store })).toMatchObject({
      missing: ['input.colours', 'input.fit', 'input.mean', 'input.scale'],
      manifest: { task: 'detection', output: { head: 'ssd' }, input: { width: 32, height: 32, layout: 'NCHW' } },
      graph: { outputs: [{ name: 'scores' }, { name: 'boxes' }] },
    });
    const { input } = COLOURS;
    const model = await resolveModel(path, { store, manifest: { input } });
    expect(model.manifest).toMatchObject({ id: 'my-detector', title: 'My Detector!', licence: { id: 'NOASSERTION' } });
  });

  it.each<[string, () => string, string]>([
    ['a missing file', () => '/no/such/model.onnx', 'EDGE_MODEL_NOT_FOUND'],
    ['an empty file', () => place('m.onnx', ''), 'EDGE_MODEL_INVALID'],
    ['a text', () => place('m.onnx', 'hello, I am a model'), 'EDGE_MODEL_INVALID'],
    ['half a model', () => place('m.onnx', colourDetector().subarray(0, 150)), 'EDGE_MODEL_INVALID'],
    ['a folder without a model', () => join(place('f/model.json', '{}'), '..'), 'EDGE_MODEL_NOT_FOUND'],
    ['a manifest that is not JSON', () => beside('{'), 'EDGE_MODEL_MANIFEST'],
    ['a manifest with another hash', () => beside(JSON.stringify({ sha256: '0'.repeat(64) })), 'EDGE_MODEL_HASH'],
    [
      'a manifest that leads out of its folder',
      () => join(place('f/model.json', '{"source": "../../etc/passwd"}'), '..'),
      'EDGE_MODEL_MANIFEST',
    ],
    [
      'a manifest that names an absolute file',
      () => join(place('f/model.json', '{"source": "/etc/passwd"}'), '..'),
      'EDGE_MODEL_MANIFEST',
    ],
    ['nothing in the package', () => 'package:nothing.onnx', 'EDGE_MODEL_NOT_FOUND'],
    ['no catalogue entry', () => 'catalogue:nothing', 'EDGE_MODEL_NOT_FOUND'],
  ])('is refused with a code: %s', async (_name, make, code) => {
    await expect(resolveModel(make(), { store, manifest: { task: 'detection' } })).rejects.toMatchObject({ code });
  });

  it('may not keep its weights in a file outside its folder', async () => {
    const escaping = onnxModel({
      inputs: [{ name: 'image', shape: [1, 3, 4, 4] }],
      outputs: [{ name: 'out', shape: [1, 3, 4, 4] }],
      nodes: [{ operator: 'Add', inputs: ['image', 'w'], outputs: ['out'] }],
      constants: [{ name: 'w', shape: [1], values: new Float32Array(1), externalFile: '../../../etc/passwd' }],
    });
    await expect(resolveModel(place('m.onnx', escaping), { store })).rejects.toMatchObject({ code: 'EDGE_MODEL_EXTERNAL_DATA' });
  });
});

describe('a model from elsewhere', () => {
  const source = (hash: string) => `https://localhost:1/colours.onnx#sha256=${hash}`;
  const manifest = said;

  it('is taken from the mirror folder first, by its hash, whatever its name there', async () => {
    process.env.EDGELOOM_MODEL_MIRROR = join(workshop.folder, 'mirror');
    place('mirror/deep/down/some-name.bin', colourDetector());
    place('mirror/another.onnx', 'something else');
    const model = await resolveModel(source(sha256(colourDetector())), { store, manifest });
    expect(model.path.startsWith(store.folder)).toBe(true);
    // From now on the store has it.
    delete process.env.EDGELOOM_MODEL_MIRROR;
    expect((await resolveModel(source(sha256(colourDetector())), { store, manifest })).path).toBe(model.path);
  });

  it('is fetched once when several ask at the same time, with progress, and only if its hash is right', async () => {
    let requests = 0;
    const bytes = colourDetector();
    const server = await startSecureServer((_request, response) => {
      requests += 1;
      response.end(bytes);
    });
    try {
      const url = `${server.url}/colours.onnx#sha256=${sha256(bytes)}`;
      const seen: [number, number | undefined][] = [];
      const onProgress = (done: number, total?: number) => seen.push([done, total]);
      const [first, second] = await Promise.all([
        resolveModel(url, { store, manifest, onProgress }),
        resolveModel(url, { store: new ModelStore(store.folder), manifest }),
      ]);
      expect(second.path).toBe(first.path);
      expect(requests).toBe(1);
      expect(seen.at(-1)![0]).toBe(bytes.length);
      const wrong = `${server.url}/colours.onnx#sha256=${'0'.repeat(64)}`;
      await expect(resolveModel(wrong, { store, manifest })).rejects.toMatchObject({ code: 'EDGE_MODEL_HASH' });
      expect(await store.list()).toHaveLength(1);
    } finally {
      await server.close();
    }
  });

  it('needs a hash when it comes over https', async () => {
    await expect(resolveModel('https://localhost:1/m.onnx', { store, manifest })).rejects.toMatchObject({
      code: 'EDGE_MODEL_SOURCE',
    });
  });

  it('is not there when neither mirror nor network has it', async () => {
    await expect(resolveModel(source('0'.repeat(64)), { store, manifest })).rejects.toMatchObject({
      code: 'EDGE_MODEL_DOWNLOAD',
    });
  });
});

describe('every model of the catalogue', () => {
  const entries = catalogue().filter((entry) => !entry.source.startsWith('package:'));

  itWith(['shared'], 'comes out of a mirror folder by its hash', async () => {
    process.env.EDGELOOM_MODEL_MIRROR = join(SHARED, 'models');
    for (const entry of entries) {
      const model = await resolveModel(`catalogue:${entry.id}`, { store });
      expect(model).toMatchObject({ sha256: entry.sha256, manifest: { ...entry } });
    }
  });

  itWith(['shared'], 'would be recognised by its labels, without the rest of its manifest', async () => {
    process.env.EDGELOOM_MODEL_MIRROR = join(SHARED, 'models');
    for (const { id, sha256, task, input, output, labels } of entries) {
      const { path } = (await store.find(sha256!)) ?? (await resolveModel(`catalogue:${id}`, { store }));
      const bare = join(workshop.folder, `${id}.onnx`);
      copyFileSync(path, bare);
      const { manifest, missing, warnings } = await inspectModel(bare, { store, manifest: { labels } });
      expect(manifest).toMatchObject({ task, output: { head: output.head } });
      expect(warnings).toEqual([]);
      // Segmentations are fed in too many ways: asked for.
      if (task === 'segmentation') expect(missing).toEqual(['input.colours', 'input.fit', 'input.mean', 'input.scale']);
      else expect(manifest.input).toEqual({ ...input });
    }
  });

  itWith(['shared'], 'is asked for where only its labels tell it from another, as YOLOX from a transposed YOLOv8', async () => {
    process.env.EDGELOOM_MODEL_MIRROR = join(SHARED, 'models');
    const bare = join(workshop.folder, 'nameless.onnx');
    copyFileSync((await resolveModel('catalogue:yolox-nano-416', { store })).path, bare);
    await expect(resolveModel(bare, { store })).rejects.toMatchObject({
      code: 'EDGE_MODEL_INCOMPLETE',
      message: expect.stringContaining('output.head (yolov8 or yolox)'),
    });
    const chosen = await resolveModel(bare, { store, manifest: { output: { head: 'yolox' } } });
    expect(chosen.manifest).toMatchObject({ task: 'detection', input: { colours: 'bgr', fit: 'letterbox', anchor: 'start' } });
  });
});

itWith(['detector'], 'without any source it is the packaged detector, which runs without writing anything', async () => {
  const model = await resolveModel('', { store });
  expect(model.manifest.id).toBe(catalogue()[0]!.id);
  const task = await openTask(model);
  try {
    expect(task.info.warnings).toEqual([]);
    expect(await store.list()).toEqual([]);
  } finally {
    await task.close();
  }
});
