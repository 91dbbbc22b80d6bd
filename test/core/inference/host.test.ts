import { convolutionalModel } from '../../../bench/support/graph';
import { InferenceHost, sharedHost } from '../../../core/inference/host';
import { modelFolder } from '../../support/models';

const write = modelFolder();
const image = { type: 'float32', shape: [1, 3, 32, 32], data: new Float32Array(3 * 32 * 32).fill(0.5) } as const;
const path = write('small.onnx', convolutionalModel(32, 8, 2));
const spec = { path, sha256: 'small', placement: 'worker' } as const;

describe('the inference host', () => {
  let host: InferenceHost;
  beforeEach(() => {
    host = new InferenceHost(50);
  });
  afterEach(() => host.close());

  it('opens a model in a worker and runs it', async () => {
    const lease = await host.acquire(spec);
    const { outputs, queueMs, runMs } = await lease.run({ image });
    expect(outputs.scores?.shape).toEqual([1, 8]);
    expect(outputs.scores?.data.some((value) => value !== 0)).toBe(true);
    expect(queueMs).toBeGreaterThan(0);
    expect(runMs).toBeGreaterThan(0);
  });

  it('says what it opened', async () => {
    const { info } = await host.acquire(spec);
    expect(info).toMatchObject({
      backend: 'onnxruntime-node',
      engineVersion: expect.stringMatching(/^\d+\.\d+\.\d+/),
      placement: 'worker',
      medianMs: expect.any(Number),
      inputs: [{ name: 'image', type: 'float32', shape: [1, 3, 32, 32] }],
      outputs: [{ name: 'scores', type: 'float32', shape: [1, 8] }],
    });
    expect(info.threads).toBeGreaterThanOrEqual(1);
  });

  it('opens a model once for all who ask for the same, also at the same time', async () => {
    const leases = await Promise.all([host.acquire(spec), host.acquire({ ...spec, path: write('copy.onnx', 'not read') })]);
    leases.push(await host.acquire(spec));
    expect(host.stats().sessions).toMatchObject([{ sha256: 'small', leases: 3 }]);
    await Promise.all(leases.map((lease) => lease.run({ image })));
    expect(host.stats().sessions).toMatchObject([{ done: 3 }]);
  });

  it('keeps sessions with other options or in another place apart', async () => {
    await host.acquire(spec);
    await host.acquire({ ...spec, options: { threads: 3 } });
    await host.acquire({ ...spec, options: { preciseInt8: true } });
    await host.acquire({ ...spec, placement: 'main' });
    expect(host.stats().sessions.map(({ info }) => [info.placement, info.threads === 3])).toEqual([
      ['worker', false],
      ['worker', true],
      ['worker', false],
      ['main', false],
    ]);
  });

  it('keeps a session over a redeploy, which gives all leases back and takes them again', async () => {
    const before = await host.acquire(spec);
    await before.run({ image });
    await before.release();
    const after = await host.acquire(spec);
    expect(host.stats().sessions).toMatchObject([{ leases: 1, done: 1 }]);
    await expect(before.run({ image })).rejects.toMatchObject({ code: 'EDGE_SESSION_CLOSED' });
    await expect(after.run({ image })).resolves.toBeDefined();
  });

  it('closes a session that nobody takes up again', async () => {
    const lease = await host.acquire(spec);
    await lease.release();
    await lease.release();
    expect(host.stats().sessions).toMatchObject([{ leases: 0 }]);
    while (host.stats().sessions.length > 0) await new Promise((resolve) => setTimeout(resolve, 10));
  });

  it('forgets a model that could not be opened, so that the next one who asks tries again', async () => {
    const bad = write('later.onnx', 'this is no model');
    const later = { path: bad, sha256: 'later', placement: 'worker' } as const;
    await expect(host.acquire(later)).rejects.toMatchObject({ code: 'EDGE_MODEL_INVALID' });
    write('later.onnx', convolutionalModel(32, 8, 2));
    await expect(host.acquire(later)).resolves.toBeDefined();
  });

  it('lets the run on its way end and refuses the ones that wait when a lease is given back', async () => {
    const slow = { path: write('slow.onnx', convolutionalModel(160, 24, 4)), sha256: 'slow', placement: 'worker' } as const;
    const lease = await host.acquire(slow);
    const other = await host.acquire(slow);
    const big = { type: 'float32', shape: [1, 3, 160, 160], data: new Float32Array(3 * 160 * 160).fill(0.5) } as const;
    const runs = Array.from({ length: 6 }, () => lease.run({ image: big }));
    const others = other.run({ image: big });
    const settled = Promise.allSettled(runs);
    await lease.release();
    const outcomes = await settled;
    expect(outcomes.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'rejected',
      'rejected',
      'rejected',
    ]);
    expect(outcomes[5]).toMatchObject({ reason: { code: 'EDGE_SESSION_CLOSED' } });
    await expect(others).resolves.toBeDefined();
  });

  it('refuses everything once it is closed', async () => {
    const lease = await host.acquire(spec);
    await host.close();
    await expect(lease.run({ image })).rejects.toMatchObject({ code: 'EDGE_SESSION_CLOSED' });
    await expect(host.acquire(spec)).rejects.toMatchObject({ code: 'EDGE_SESSION_CLOSED' });
    expect(host.stats().sessions).toEqual([]);
  });

  it('is one for the whole process', () => {
    expect(sharedHost()).toBe(sharedHost());
  });
});
