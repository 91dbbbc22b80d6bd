import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { convolutionalModel } from '../../../bench/support/graph';
import { InferenceHost, type Lease } from '../../../core/inference/host';
import { modelFolder } from '../../support/models';

const write = modelFolder();
const path = write('slow.onnx', convolutionalModel(224, 32, 4));
const size = 3 * 224 * 224;
const image = { type: 'float32', shape: [1, 3, 224, 224], data: new Float32Array(size).fill(0.5) } as const;

/** Runs a script in a process of its own in which a lease on a slow model is ready. */
function inProcess(script: string): SpawnSyncReturns<string> {
  const host = join(__dirname, '..', '..', '..', 'dist', 'core', 'inference', 'host.js');
  const whole = `
    const { InferenceHost } = require(${JSON.stringify(host)});
    const host = new InferenceHost();
    const image = { type: 'float32', shape: [1, 3, 224, 224], data: new Float32Array(${size}) };
    const model = { path: ${JSON.stringify(path)}, sha256: 'slow', placement: 'worker' };
    (async () => { ${script} })();`;
  return spawnSync(process.execPath, ['-e', whole], { encoding: 'utf8', timeout: 110_000 });
}

describe('the end of a process that is inside the engine', () => {
  it('is clean after sessions were closed while they ran, thirty times over', () => {
    const { status, signal, stdout } = inProcess(`
      for (let round = 0; round < 30; round++) {
        const host = new InferenceHost();
        const lease = await host.acquire(model);
        const runs = Promise.allSettled([1, 2, 3, 4].map(() => lease.run({ image })));
        await new Promise((resolve) => setTimeout(resolve, round));
        await host.close();
        console.log((await runs).map(({ status, reason }) => reason?.code ?? status).join());
      }
      process.exit(0);`);
    expect({ status, signal }).toEqual({ status: 0, signal: null });
    const rounds = stdout.trim().split('\n');
    expect(rounds).toHaveLength(30);
    for (const outcomes of rounds) expect(outcomes).toMatch(/^fulfilled(,fulfilled)*(,EDGE_SESSION_CLOSED)*$/);
  }, 120_000);

  it.each(['process.exit(7)', 'setTimeout(() => { throw new Error("elsewhere"); })'])(
    'is no abort after %s',
    (end) => {
      for (let round = 0; round < 5; round++) {
        const { status, signal } = inProcess(`
        const lease = await host.acquire(model);
        for (let run = 0; run < 3; run++) lease.run({ image }).catch(() => {});
        setTimeout(() => { ${end} }, ${5 + round * 7});`);
        expect({ status, signal }).toEqual({ status: end.includes('exit') ? 7 : 1, signal: null });
      }
    },
    120_000,
  );

  it('is no abort while a model is being opened', () => {
    for (let round = 0; round < 5; round++) {
      const { status, signal } = inProcess(`host.acquire(model); setTimeout(() => process.exit(7), ${round * 25});`);
      expect({ status, signal }).toEqual({ status: 7, signal: null });
    }
  }, 120_000);

  it('comes by itself when nothing is left to do, although a session is held', () => {
    const { status, signal } = inProcess('const lease = await host.acquire(model); await lease.run({ image });');
    expect({ status, signal }).toEqual({ status: 0, signal: null });
  });
});

describe('a worker that ends unexpectedly', () => {
  const host = new InferenceHost(0);
  afterAll(() => host.close());

  /** What a native crash cannot be made to do here without taking the test with it: the thread is gone, unasked. */
  async function killThread(lease: Lease): Promise<void> {
    const { session } = lease as unknown as { session: { life: { worker: { terminate(): Promise<unknown> } } } };
    await session.life.worker.terminate();
  }

  it('is begun anew for the next run', async () => {
    const lease = await host.acquire({ path, sha256: 'slow', placement: 'worker' });
    await lease.run({ image });
    await killThread(lease);
    const { outputs } = await lease.run({ image });
    expect(outputs.scores?.shape).toEqual([1, 32]);
    expect(host.stats().sessions).toMatchObject([{ leases: 1, done: 2, failed: 0, restarts: 1 }]);
  });

  it('gives EDGE_WORKER_EXITED to the run that it worked on, and lets the others wait for the next thread', async () => {
    const lease = await host.acquire({ path, sha256: 'slow', placement: 'worker' });
    // Given to the thread and not begun: it sleeps until it is told, and ends before.
    const { session } = lease as unknown as { session: { life: { run(): void } } };
    session.life.run = () => {};
    const lost = lease.run({ image });
    const waits = [lease.run({ image }), lease.run({ image })];
    await killThread(lease);
    await expect(lost).rejects.toMatchObject({ code: 'EDGE_WORKER_EXITED', retryAfter: expect.any(Number) });
    for (const run of waits) await expect(run).resolves.toMatchObject({ outputs: { scores: { shape: [1, 32] } } });
  });
});
