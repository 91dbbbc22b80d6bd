import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { convolutionalModel, mulberry, onnxModel } from '../../../bench/support/graph';
import { InferenceHost } from '../../../core/inference/host';
import { modelFolder } from '../../support/models';

const write = modelFolder();
const host = new InferenceHost(0, false);
afterAll(() => host.close());
const places = ['worker', 'main', 'process'] as const;
const good = convolutionalModel(16, 4, 2);
const image = { type: 'float32', shape: [1, 3, 16, 16], data: new Float32Array(3 * 16 * 16).fill(0.5) } as const;

let count = 0;
const open = (path: string, placement: 'worker' | 'main' | 'process', backend?: string) =>
  host.acquire({ path, sha256: `open-${count++}`, placement, ...(backend === undefined ? {} : { backend }) });

describe.each(places)('a model opened in the place "%s"', (placement) => {
  it('is said not to be found when its file is missing', async () => {
    await expect(open('/nowhere/at/all.onnx', placement)).rejects.toMatchObject({ code: 'EDGE_MODEL_NOT_FOUND' });
  });

  it.each([
    ['empty', new Uint8Array(0)],
    ['text', 'not a model, but a sentence that is long enough to be read as one'],
    ['cut short', good.subarray(0, good.length >> 1)],
  ])('is refused when its file is %s', async (name, bytes) => {
    const path = write(`${name}.onnx`, bytes);
    await expect(open(path, placement)).rejects.toMatchObject({ code: 'EDGE_MODEL_INVALID' });
  });

  it('is refused when it has an operator that nobody knows', async () => {
    const bytes = onnxModel({
      inputs: [{ name: 'x', shape: [1] }],
      outputs: [{ name: 'y', shape: [1] }],
      nodes: [{ operator: 'Divination', inputs: ['x'], outputs: ['y'] }],
    });
    await expect(open(write('unknown.onnx', bytes), placement)).rejects.toMatchObject({
      code: 'EDGE_MODEL_UNSUPPORTED',
      message: expect.stringContaining('Divination'),
    });
  });

  it('is refused when it is of a newer standard than the engine knows', async () => {
    const bytes = onnxModel(
      {
        inputs: [{ name: 'x', shape: [1] }],
        outputs: [{ name: 'y', shape: [1] }],
        nodes: [{ operator: 'Relu', inputs: ['x'], outputs: ['y'] }],
      },
      999,
    );
    await expect(open(write('newer.onnx', bytes), placement)).rejects.toMatchObject({ code: 'EDGE_MODEL_UNSUPPORTED' });
  });

  it.each(['../../../../etc/passwd', '/etc/passwd', 'absent.bin'])(
    'is refused when its weights are said to lie in %s',
    async (file) => {
      const bytes = onnxModel({
        inputs: [{ name: 'x', shape: [4] }],
        outputs: [{ name: 'y', shape: [4] }],
        nodes: [{ operator: 'Add', inputs: ['x', 'w'], outputs: ['y'] }],
        constants: [{ name: 'w', shape: [4], values: new Float32Array(4), externalFile: file }],
      });
      await expect(open(write('external.onnx', bytes), placement)).rejects.toMatchObject({ code: 'EDGE_MODEL_EXTERNAL_DATA' });
    },
  );

  it('is refused for an engine that does not exist', async () => {
    await expect(open(write('good.onnx', good), placement, 'toString')).rejects.toMatchObject({ code: 'EDGE_SETTING' });
  });
});

it('gives one coded error, or a session that runs or refuses, for every one of many damaged models', async () => {
  const random = mulberry(20261124);
  const tally: Record<string, number> = {};
  for (let round = 0; round < 60; round++) {
    const bytes = Uint8Array.from(good);
    const changes = 1 + Math.floor(random() * 8);
    for (let change = 0; change < changes; change++) bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
    const outcome = await open(write('damaged.onnx', bytes), 'worker')
      .then(async (lease) => {
        const { name } = lease.info.inputs[0] ?? { name: '' };
        await lease.run({ [name]: image }).finally(() => lease.release());
        return 'ran';
      })
      .catch((error: { code?: string }) => error.code ?? 'no code');
    tally[outcome] = (tally[outcome] ?? 0) + 1;
  }
  expect(Object.keys(tally).filter((outcome) => outcome !== 'ran' && !outcome.startsWith('EDGE_'))).toEqual([]);
  expect(tally.ran).toBeGreaterThan(0);
  expect(Object.keys(tally).length).toBeGreaterThan(1);
});

describe('without its engine', () => {
  // A place where no folder above holds node_modules, as in a user directory into which the engine was not installed.
  const folder = mkdtempSync(join(tmpdir(), 'edgeloom-bare-'));
  const core = join(__dirname, '..', '..', '..', 'dist', 'core');
  beforeAll(() => {
    for (const part of ['inference', 'message', 'metrics', 'errors.js', 'secrets.js'])
      cpSync(join(core, part), join(folder, 'core', part), { recursive: true });
    writeFileSync(join(folder, 'model.onnx'), good);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  function openElsewhere(placement: string): { code: string; message: string } {
    const script = `
      const { InferenceHost } = require(${JSON.stringify(join(folder, 'core', 'inference', 'host.js'))});
      const spec = { path: ${JSON.stringify(join(folder, 'model.onnx'))}, sha256: 'x', placement: ${JSON.stringify(placement)} };
      new InferenceHost().acquire(spec).then(() => process.exit(3), ({ code, message }) => console.log(JSON.stringify({ code, message })));`;
    const { stdout, status } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8', env: {} });
    expect(status).toBe(0);
    return JSON.parse(stdout) as { code: string; message: string };
  }

  it.each(places)('says in the place "%s" that it is missing and how to install it', (placement) => {
    expect(openElsewhere(placement)).toEqual({
      code: 'EDGE_RUNTIME_MISSING',
      message:
        'The inference runtime is not installed: onnxruntime-node is not installed. ' +
        'Run "npm install --ignore-scripts onnxruntime-node" in the Node-RED user directory and restart Node-RED',
    });
  });

  it('says so when there is no binary of it for this machine', () => {
    const engine = join(folder, 'core', 'node_modules', 'onnxruntime-node');
    mkdirSync(engine, { recursive: true });
    // As onnxruntime-node/dist/binding.js does it.
    writeFileSync(join(engine, 'index.js'), `require('./bin/napi-v6/plan9/' + process.arch + '/onnxruntime_binding.node');`);
    const { code, message } = openElsewhere('worker');
    expect(code).toBe('EDGE_RUNTIME_MISSING');
    expect(message).toContain(`onnxruntime-node has no binary for ${process.platform} ${process.arch}`);
  });

  it('says so when its library is not one that this machine can load', () => {
    const engine = join(folder, 'core', 'node_modules', 'onnxruntime-node');
    writeFileSync(join(engine, 'broken.node'), readFileSync(__filename));
    writeFileSync(join(engine, 'index.js'), `require('./broken.node');`);
    const { code, message } = openElsewhere('worker');
    expect(code).toBe('EDGE_RUNTIME_MISSING');
    expect(message).toContain('its library does not load');
  });
});
