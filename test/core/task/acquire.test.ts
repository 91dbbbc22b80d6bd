import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { intersectionOverUnion } from '../../../bench/support/average-precision';
import { EdgeError } from '../../../core/errors';
import { InferenceHost, type Lease, type SessionSpec } from '../../../core/inference/host';
import { openRecording } from '../../../core/media/recording';
import type { Detection, DetectionResult } from '../../../core/message/results';
import { ModelStore, openTask, resolveModel, type Task, type TaskOptions } from '../../../core/task';
import { describeWith, find, itWith, SHARED } from '../../support/needs';
import { COLOURS, colourDetector, plain, Workshop } from './models';

/** Hosts that lack engines, as on a machine for which npm holds no binary. */
class HostWithout extends InferenceHost {
  constructor(private readonly missing: readonly string[]) {
    super(0);
  }

  override acquire(spec: SessionSpec): Promise<Lease> {
    if (!this.missing.includes(spec.backend!)) return super.acquire(spec);
    return Promise.reject(new EdgeError('EDGE_RUNTIME_MISSING', `no ${spec.backend}`, { mend: `Install ${spec.backend}` }));
  }
}

const host = new InferenceHost(0);
const musl = new HostWithout(['onnxruntime-node']);
const bare = new HostWithout(['onnxruntime-node', 'onnxruntime-web']);
const workshop = new Workshop();
afterAll(async () => {
  await Promise.all([host, musl, bare].map((each) => each.close()));
  workshop.remove();
});

const colours = (options: TaskOptions, on: InferenceHost) => openTask(workshop.resolved(colourDetector(), COLOURS), options, on);

// The WebAssembly engine takes seconds to compile on a busy machine, and a tenth of a second for a picture on an idle one.
jest.setTimeout(300_000);

describe('the engine of a task', () => {
  it('is the native one where it runs, without a word', async () => {
    const task = await colours({}, host);
    expect(task.info.session.backend).toBe('onnxruntime-node');
    expect(task.info.warnings).toEqual([]);
    await task.close();
  });

  it('is WebAssembly where there is no native one, with a warning that says why and what mends it', async () => {
    const task = await colours({}, musl);
    expect(task.info.session).toMatchObject({ backend: 'onnxruntime-web', placement: 'worker' });
    expect(task.info.warnings).toEqual([
      expect.stringMatching(/^Runs in WebAssembly.*The inference runtime is not installed: no onnxruntime-node. Install onnx/),
    ]);
    expect(task.info.session.notes).toEqual([...task.info.warnings]);
    const { result } = await task.run(plain(255, 51, 0));
    expect((result as DetectionResult).detections).toMatchObject([{ label: 'red', score: 1 }]);
    await task.close();
  });

  it('is WebAssembly where it was chosen, without a warning', async () => {
    const task = await colours({ backend: 'onnxruntime-web' }, host);
    expect(task.info.session.backend).toBe('onnxruntime-web');
    expect(task.info.warnings).toEqual([]);
    await task.close();
  });

  it('is not another one than the one that was chosen', async () => {
    await expect(colours({ backend: 'onnxruntime-node' }, musl)).rejects.toMatchObject({
      code: 'EDGE_RUNTIME_MISSING',
      message: 'The inference runtime is not installed: no onnxruntime-node. Install onnxruntime-node',
    });
  });

  it('is missed with the words of both where neither runs', async () => {
    await expect(colours({}, bare)).rejects.toMatchObject({
      code: 'EDGE_RUNTIME_MISSING',
      message:
        'The inference runtime is not installed: no onnxruntime-node. Install onnxruntime-node. ' +
        'And no onnxruntime-web. Install onnxruntime-web',
    });
  });

  it('falls back for a missing engine only: a damaged model stays one', async () => {
    const damaged = workshop.resolved(colourDetector().subarray(0, 100), {
      ...COLOURS,
      input: { ...COLOURS.input, normalisedInGraph: true, layout: 'NHWC' } as never,
    });
    await expect(openTask(damaged, {}, host)).rejects.toMatchObject({ code: 'EDGE_MODEL_INVALID' });
  });
});

describe('the execution provider of a task', () => {
  const elsewhere = process.platform === 'win32' ? 'coreml' : 'dml';

  it('is the processor where the one that was asked for is not here, with a warning that says why', async () => {
    const task = await colours({ executionProvider: elsewhere }, host);
    const sentence = expect.stringMatching(`^Runs on the processor: ${elsewhere} cannot be used here, .+`);
    expect(task.info.warnings).toEqual([sentence]);
    expect(task.info.session.notes).toContainEqual(sentence);
    await task.close();
  });

  it('is the processor in WebAssembly', async () => {
    const task = await colours({ executionProvider: 'cuda' }, musl);
    expect(task.info.warnings).toContain('Runs on the processor: WebAssembly knows no cuda');
    await task.close();
  });
});

describeWith(['detector', 'sample'], 'the packaged detector in WebAssembly', () => {
  const packaged = () => resolveModel('', { store: new ModelStore(join(workshop.folder, 'detector')) });
  const open = async (options: TaskOptions, on: InferenceHost): Promise<Task> =>
    openTask(await packaged(), { threads: 1, scoreThreshold: 0.3, ...options }, on);
  const found = async (task: Task, picture: unknown) => ((await task.run(picture)).result as DetectionResult).detections;

  it('is made float once, and kept', async () => {
    const folder = join(workshop.folder, 'detector', 'derived');
    for (let round = 0; round < 2; round++) {
      const task = await open({}, musl);
      expect(task.info.session.notes).toContain('Its 8-bit values were made float once, since WebAssembly is slower in 8 bits');
      await task.close();
      expect(readdirSync(folder)).toEqual([expect.stringMatching(/^[0-9a-f]{64}-float-1-[0-9a-f]{16}\.onnx$/)]);
    }
  });

  it('stays in 8 bits where the store cannot be written, and still finds the person', async () => {
    const file = join(workshop.folder, 'a-file');
    writeFileSync(file, '');
    const model = { ...(await packaged()), storeFolder: join(file, 'store') };
    const task = await openTask(model, { threads: 1 }, musl);
    expect(task.info.session.notes).toContainEqual(expect.stringMatching(/^Stays in 8 bits: .*cannot be written/));
    for await (const { frame } of (await openRecording(find('sample')!)).play(() => {})) {
      expect(await found(task, frame)).toContainEqual(expect.objectContaining({ label: 'person' }));
      break;
    }
    await task.close();
  });

  /** Of everything that one finds from score 0.5 on, the share that the other finds from 0.4 on, in the same place (IoU 0.8). */
  function confirmed(some: readonly Detection[], others: readonly Detection[]): [number, number] {
    const sure = some.filter(({ score }) => score >= 0.5);
    const seen = sure.filter(({ label, box }) =>
      others.some((other) => other.score >= 0.4 && other.label === label && intersectionOverUnion(box, other.box) >= 0.8),
    );
    return [seen.length, sure.length];
  }

  async function agreement(pictures: AsyncIterable<unknown> | Iterable<unknown>): Promise<{ share: number; count: number }> {
    const [native, web] = [await open({}, host), await open({}, musl)];
    let [seen, count] = [0, 0];
    for await (const picture of pictures) {
      const [one, other] = [await found(native, picture), await found(web, picture)];
      for (const [both, all] of [confirmed(one, other), confirmed(other, one)]) {
        seen += both;
        count += all;
      }
    }
    await Promise.all([native.close(), web.close()]);
    return { share: seen / count, count };
  }

  it('finds in the recording what the native engine finds in 8 bits', async () => {
    const pictures = async function* () {
      let left = 20;
      for await (const { frame } of (await openRecording(find('sample')!)).play(() => {})) {
        yield frame;
        if (--left === 0) return;
      }
    };
    const { share, count } = await agreement(pictures());
    expect(count).toBeGreaterThanOrEqual(40);
    expect(share).toBe(1);
  });

  itWith(
    ['shared'],
    'finds in 48 pictures of COCO at least 93 % of what the native engine finds in 8 bits, and the other way round',
    async () => {
      const folder = join(SHARED, 'data', 'vision', 'coco');
      const names = readdirSync(folder).sort().slice(0, 48);
      const { share, count } = await agreement(names.map((name) => readFileSync(join(folder, name))));
      expect(count).toBeGreaterThan(150);
      expect(share).toBeGreaterThan(0.93);
    },
    300_000,
  );
});
