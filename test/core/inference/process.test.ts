import { join } from 'node:path';
import { convolutionalModel, loopModel, memoryModel } from '../../../bench/support/graph';
import { Backoff } from '../../../core/inference/backoff';
import { InferenceHost, type Lease, type SessionSpec } from '../../../core/inference/host';
import type { TensorValue } from '../../../core/message/tensor';
import { inProcess, type Started } from '../../support/in-process';
import { modelFolder } from '../../support/models';
import { lives } from '../../support/processes';
import { until } from '../../support/until';

const write = modelFolder();
const host = new InferenceHost(0);
afterAll(() => host.close());
const engine = join(__dirname, 'scripted-engine.cjs');

let count = 0;
/** A model of the scripted engine, in a process of its own. */
function scripted(script: Record<string, string>, more: Partial<SessionSpec> = {}): Promise<Lease> {
  const sha256 = `scripted-${count++}`;
  const path = write(`${sha256}.json`, JSON.stringify(script));
  return host.acquire({ path, sha256, backend: engine, placement: 'process', ...more });
}

function loop(more: Partial<SessionSpec> = {}): Promise<Lease> {
  return host.acquire({ path: write('loop.onnx', loopModel()), sha256: `loop-${count++}`, placement: 'process', ...more });
}

const x = (value: number): { x: TensorValue } => ({ x: { type: 'float32', shape: [1], data: Float32Array.of(value) } });
const times = (turns: bigint) => ({
  ...x(1),
  times: { type: 'int64', shape: [1], data: BigInt64Array.of(turns) } as TensorValue,
});
const given = async (run: Promise<{ outputs: Record<string, TensorValue> }>) => (await run).outputs.y!.data[0];
const sessions = () => host.stats().sessions;
const pidOf = ({ info }: Lease) => sessions().find((session) => session.info === info)?.pid;

const gone = (pid: number) => until(() => !lives(pid), `the end of process ${pid}`);

describe('a model in a process of its own', () => {
  it('is in no other one, and says in which', async () => {
    const lease = await scripted({});
    expect(lease.info.placement).toBe('process');
    const pid = pidOf(lease)!;
    expect(pid).not.toBe(process.pid);
    expect(lives(pid)).toBe(true);
    await lease.release();
    await gone(pid);
  });

  it.each(['SIGSEGV', 'SIGILL', 'SIGABRT', 'SIGBUS', 'SIGKILL'])(
    'fails the run that ended it with %s, by its name, and goes on with those that wait',
    async (signal) => {
      const lease = await scripted({ poison: signal });
      const pid = pidOf(lease);
      const runs = [lease.run(x(1)), lease.run(x(13)), lease.run(x(2)), lease.run(x(3))];
      const [before, lost, ...after] = await Promise.allSettled(runs);
      expect(before!.status).toBe('fulfilled');
      expect(lost).toMatchObject({
        reason: { code: 'EDGE_MODEL_CRASHED', message: expect.stringContaining(signal), retryAfter: expect.any(Number) },
      });
      expect(after.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
      expect(pidOf(lease)).not.toBe(pid);
      expect(sessions().find(({ info }) => info === lease.info)).toMatchObject({ done: 3, failed: 1, restarts: 1 });
      await lease.release();
    },
  );

  it('is begun anew when it was killed while it did nothing, before anybody asks', async () => {
    const lease = await scripted({});
    const pid = pidOf(lease)!;
    process.kill(pid, 'SIGSEGV');
    await until(() => ![undefined, pid].includes(pidOf(lease)), 'another process');
    expect(await given(lease.run(x(4)))).toBe(4);
    await lease.release();
  });

  it('is killed when a run is over its time', async () => {
    const lease = await loop({ limits: { runMs: 4000 } });
    expect(await given(lease.run(times(2n)))).toBe(3);
    const pid = pidOf(lease)!;
    const hangs = lease.run(times(2n ** 62n));
    const waits = lease.run(times(5n));
    await expect(hangs).rejects.toMatchObject({ code: 'EDGE_MODEL_TIMEOUT', message: expect.stringContaining('more than 4 s') });
    expect(await given(waits)).toBe(6);
    expect(lives(pid)).toBe(false);
    await lease.release();
  });

  it('is killed when it takes more memory than it may', async () => {
    const path = write('memory.onnx', memoryModel());
    const limits = { memoryBytes: 500 * 2 ** 20 };
    const lease = await host.acquire({ path, sha256: `memory-${count++}`, placement: 'process', limits });
    const ones = (values: number) => ({
      count: { type: 'int64', shape: [1], data: BigInt64Array.of(BigInt(values)) } as TensorValue,
    });
    expect(await given(lease.run(ones(1000)))).toBe(1);
    // 4 GB.
    await expect(lease.run(ones(2 ** 30))).rejects.toMatchObject({
      code: 'EDGE_MODEL_MEMORY',
      message: expect.stringMatching(/\d+ MiB, 500 MiB are allowed\. .+ allow it more memory/),
    });
    expect(await given(lease.run(ones(2000)))).toBe(1);
    await lease.release();
  });

  it('refuses runs while the next beginning is far away, with the time until then, and recovers', async () => {
    const lease = await scripted({ poison: 'SIGILL' });
    let refused: { code?: string; message?: string; retryAfter?: number } = {};
    while (!refused.message?.includes('begun anew in')) {
      refused = await lease.run(x(13)).then(
        () => ({}),
        (error) => error,
      );
      expect(refused.code).toBe('EDGE_MODEL_CRASHED');
    }
    expect(refused.retryAfter).toBeGreaterThan(4000);
    expect(refused.retryAfter).toBeLessThanOrEqual(60_000);
    let answer: number | bigint | undefined;
    while (answer === undefined) answer = await given(lease.run(x(7))).catch(() => undefined);
    expect(answer).toBe(7);
    await lease.release();
  }, 120_000);

  it('tells why it cannot be begun anew', async () => {
    const path = write('gone.json', '{"poison": "SIGSEGV"}');
    const lease = await host.acquire({ path, sha256: `gone-${count++}`, backend: engine, placement: 'process' });
    const lost = lease.run(x(13));
    write('gone.json', 'no longer a script');
    const waits = lease.run(x(1));
    await expect(lost).rejects.toMatchObject({ code: 'EDGE_MODEL_CRASHED' });
    await expect(waits).rejects.toMatchObject({ code: 'EDGE_RUNTIME_FAILED' });
    await lease.release();
  });

  it('is closed in the middle of a hang, and nothing is left of it', async () => {
    const own = new InferenceHost(0);
    const lease = await own.acquire({ path: write('loop.onnx', loopModel()), sha256: 'loop-close', placement: 'process' });
    const { pid } = own.stats().sessions[0]!;
    const hangs = lease.run(times(2n ** 62n));
    const waits = [1, 2, 3].map(() => lease.run(times(1n)));
    const outcomes = Promise.allSettled([hangs, ...waits]);
    await own.close();
    for (const outcome of await outcomes) expect(outcome).toMatchObject({ reason: { code: 'EDGE_SESSION_CLOSED' } });
    await gone(pid!);
  });

  it('survives the signals that a terminal or a service manager sends to the whole group', async () => {
    const lease = await scripted({});
    const pid = pidOf(lease)!;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(pid, signal);
    expect(await given(lease.run(x(5)))).toBe(5);
    expect(pidOf(lease)).toBe(pid);
    await lease.release();
  });
});

describe('the end of Node-RED', () => {
  const model = { path: write('end.onnx', loopModel()), sha256: 'end', placement: 'process' } as const;
  /** A program that holds the model, idle or in the middle of a hang, and prints the process of the model. */
  const hold = (then: string) => `
    const lease = await host.acquire(${JSON.stringify(model)});
    const feeds = (times) => ({
      times: { type: 'int64', shape: [1], data: BigInt64Array.of(times) },
      x: { type: 'float32', shape: [1], data: Float32Array.of(1) },
    });
    await lease.run(feeds(1n));
    console.log(host.stats().sessions[0].pid);
    ${then}`;
  const hang = 'lease.run(feeds(2n ** 62n)).catch(() => {}); await new Promise((resolve) => setTimeout(resolve, 300));';
  const pidFrom = async (started: Started) => {
    await until(() => started.stdout().includes('\n'), 'the process of the model');
    return Number(started.stdout());
  };

  it.each([
    ['idle', 'setInterval(() => {}, 1000);'],
    ['inside the engine', `${hang} console.log("hangs"); setInterval(() => {}, 1000);`],
  ])('by SIGKILL is the end of a model that is %s', async (_state, then) => {
    const started = inProcess(hold(then));
    const pid = await pidFrom(started);
    if (then.includes('hangs')) await until(() => started.stdout().includes('hangs'), 'the hang');
    started.child.kill('SIGKILL');
    await started.ended;
    await gone(pid);
  });

  it.each(['process.exit(7)', `${hang} process.exit(7)`])('by %s is clean, at once, and the end of the model', async (then) => {
    const started = inProcess(hold(then));
    const pid = await pidFrom(started);
    expect(await started.ended).toEqual({ code: 7, signal: null });
    await gone(pid);
  });

  it('comes by itself when nothing is left to do, although a session is held', async () => {
    const started = inProcess(hold(''));
    const pid = await pidFrom(started);
    expect(await started.ended).toEqual({ code: 0, signal: null });
    await gone(pid);
  });
});

describe('a run in a thread that does not come to an end', () => {
  const path = write('hang.onnx', loopModel());

  it('fails with its code; the thread is left behind, the model goes on in a process, and that is remembered', async () => {
    const state = join(path, '..', 'state-of-hang');
    const started = inProcess(`
      const spec = {
        path: ${JSON.stringify(path)}, sha256: 'hang', placement: 'worker', limits: { runMs: 4000 },
        stateFolder: ${JSON.stringify(state)},
      };
      const lease = await host.acquire(spec);
      const feeds = (times) => ({
        times: { type: 'int64', shape: [1], data: BigInt64Array.of(times) },
        x: { type: 'float32', shape: [1], data: Float32Array.of(1) },
      });
      const told = [lease.info.placement];
      const [hangs, waits] = await Promise.allSettled([lease.run(feeds(2n ** 62n)), lease.run(feeds(2n))]);
      told.push(hangs.reason.code, waits.value.outputs.y.data[0], lease.info.placement, lease.info.warnings.length);
      told.push(host.stats().hungThreads);
      const other = await new InferenceHost(0).acquire({ ...spec, placement: 'auto' });
      told.push(other.info.placement, other.info.warnings[0].includes('ended badly'));
      console.log(JSON.stringify(told));
      process.exit(0);`);
    // With a thread inside the engine a process can only abort or be killed: it chooses the end without a core dump.
    expect(await started.ended).toEqual({ code: null, signal: 'SIGKILL' });
    expect(JSON.parse(started.stdout())).toEqual(['worker', 'EDGE_MODEL_TIMEOUT', 3, 'process', 1, 1, 'process', true]);
  });
});

describe('inputs of many megabytes on their way to a process', () => {
  it('leave the event loop its turns', async () => {
    const bytes = convolutionalModel(1024, 2, 1);
    const lease = await host.acquire({ path: write('large.onnx', bytes), sha256: `large-${count++}`, placement: 'process' });
    const image: TensorValue = { type: 'float32', shape: [1, 3, 1024, 1024], data: new Float32Array(3 * 1024 * 1024).fill(0.5) };
    let turns = 0;
    let done = false;
    const turn = () => {
      turns += 1;
      if (!done) setImmediate(turn);
    };
    setImmediate(turn);
    await Promise.all(Array.from({ length: 4 }, () => lease.run({ image })));
    done = true;
    // 12 MB in slices of one megabyte: written as one, there would be a turn or two a run.
    expect(turns).toBeGreaterThan(4 * 12);
    await lease.release();
  });
});

describe('the pauses between failures', () => {
  it('double from a second to a minute, jittered by half, and begin anew after a good minute', () => {
    let now = 0;
    const backoff = new Backoff(() => now);
    for (const length of [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]) {
      const pause = backoff.pause();
      expect(pause).toBeGreaterThanOrEqual(length / 2);
      expect(pause).toBeLessThanOrEqual(length);
      now += pause + 1000;
    }
    now += 61_000;
    expect(backoff.pause()).toBeLessThanOrEqual(1000);
  });
});
