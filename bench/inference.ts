import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import * as ort from 'onnxruntime-node';
import { defaultThreads, sessionOptions } from '../core/inference/backends/onnxruntime-node';
import { InferenceHost, type Lease } from '../core/inference/host';
import { makeFrame } from '../core/message/frame';
import { ELEMENT_ARRAYS, elementCount, makeTensor, type TensorValue } from '../core/message/tensor';
import type { Bench } from './support/bench';
import { convolutionalModel, denseModel } from './support/graph';
import { median } from './support/statistics';

/** Milliseconds for which one side of a comparison runs before the other has its turn. */
const BLOCK_MS = 250;

const PACKAGED = join(__dirname, '..', 'models', 'coco-ssd-mobilenet-v2-int8.onnx');

/** Runs that are on their way at a time while a session is saturated: one runs, the next waits, as behind a node's queue. */
const IN_FLIGHT = 2;

/**
 * What the inference host costs beside the bare engine, in one process, with the same session options and threads, in turns; what
 * it does to the event loop; and what a second wire costs. Case `5ms` is the packaged detector, with the bytes of a picture as its
 * input, as flows run it; `5ms-float` takes 1 MB of floats. Models of the other cases: the files of `--data` (then `5ms` too), else
 * ../shared/models, else made up.
 */
export default async function (bench: Bench): Promise<void> {
  const rounds = bench.options.long ? 25 : 9;
  const folder = mkdtempSync(join(tmpdir(), 'edgeloom-bench-'));
  const host = new InferenceHost();
  try {
    const idle = await eventLoopP99(() => pause(2000));
    bench.note(`event loop, idle: 99 % of turns within ${idle.toFixed(2)} ms; ${defaultThreads()} thread(s) in a run`);
    const models = await measuredFiles(bench.options.data ?? join(process.cwd(), '..', 'shared', 'models'));
    const cases = [
      { name: '5ms', from: 5, to: 40, target: { atLeast: '>= 0.95' }, sizes: [224, 32] as const, packaged: !bench.options.data },
      { name: '5ms-float', from: 5, to: 40, target: {}, sizes: [224, 32] as const },
      { name: '0.5ms', from: 0.5, to: 0.8, target: { atLeast: '>= 0.80' }, sizes: [96, 16] as const },
    ];
    for (const { name, from, to, target, sizes, packaged } of cases) {
      const path =
        (packaged && existsSync(PACKAGED) && PACKAGED) ||
        (models.find(({ ms }) => ms >= from && ms <= to)?.path ?? (await madeUp(folder, name, from, sizes)));
      bench.note(`case ${name}: ${path}`);
      await compare(bench, host, { name, path, ...target, rounds, idle });
      if (name !== '5ms-float') await priceOfProcess(bench, host, { name: `process-${name}`, path, rounds, idle });
    }
    const tiny = join(folder, 'tiny.onnx');
    writeFileSync(tiny, denseModel(64, 16));
    await compare(bench, host, { name: 'tiny', path: tiny, rounds, idle, inFlight: 256 });
    wires(bench, rounds);
  } finally {
    await host.close();
    rmSync(folder, { recursive: true });
  }
}

interface Case {
  name: string;
  path: string;
  atLeast?: string;
  rounds: number;
  /** 99th percentile of the idle event loop, ms. */
  idle: number;
  inFlight?: number;
}

async function compare(bench: Bench, host: InferenceHost, { name, path, atLeast, rounds, idle, inFlight = IN_FLIGHT }: Case) {
  const lease = await host.acquire({ path, sha256: createHash('sha256').update(readFileSync(path)).digest('hex') });
  const { info } = lease;
  bench.note(`  placement ${info.placement}, ${info.medianMs?.toFixed(3)} ms when opened`);
  const same = await bareEngine(path, sessionOptions({ threads: info.threads }));
  const defaults = await bareEngine(path, { logSeverityLevel: 4 });
  const feeds = feedsOf(lease);
  const ours = () => lease.run(feeds);
  const single: number[] = [];
  const saturated: number[] = [];
  const byDefault: number[] = [];
  let oursMs = 0;
  let bareMs = 0;
  for (let round = -1; round < rounds; round++) {
    const bareOne = await perRun(same.run, 1);
    const oursOne = await perRun(ours, 1);
    const bareMany = await perRun(same.run, inFlight);
    const oursMany = await perRun(ours, inFlight);
    const defaultMany = await perRun(defaults.run, inFlight);
    // The first round warms caches and compilers up.
    if (round < 0) continue;
    single.push(bareOne / oursOne);
    saturated.push(bareMany / oursMany);
    byDefault.push(bareMany / defaultMany);
    bareMs = bareMany;
    oursMs = oursMany;
  }
  bench.note(`  bare ${bareMs.toFixed(3)} ms, ours ${oursMs.toFixed(3)} ms a run, ${inFlight} on their way`);
  const target = atLeast === undefined ? {} : { target: atLeast };
  bench.record({ case: name, measure: 'binding_ratio', value: median(saturated), unit: 'ratio', ...target });
  bench.record({ case: name, measure: 'binding_ratio_one_at_a_time', value: median(single), unit: 'ratio' });
  bench.record({ case: name, measure: 'bare_defaults_ratio', value: median(byDefault), unit: 'ratio' });
  const busy = await eventLoopP99(() => during(3000, ours, inFlight));
  bench.record({ case: name, measure: 'event_loop_p99_ms', value: Math.max(0, busy - idle), unit: 'ms', target: '< 5' });
  const blocked = await eventLoopP99(() => during(2000, defaults.run, inFlight));
  bench.record({ case: name, measure: 'bare_event_loop_p99_ms', value: Math.max(0, blocked - idle), unit: 'ms' });
  await same.release();
  await defaults.release();
  await lease.release();
}

/** What a process of its own costs beside a thread, both in turns; the event loop's delay while the process is saturated. */
async function priceOfProcess(bench: Bench, host: InferenceHost, { name, path, rounds, idle }: Case): Promise<void> {
  const sha256 = createHash('sha256').update(readFileSync(path)).digest('hex');
  const worker = await host.acquire({ path, sha256, placement: 'worker' });
  const child = await host.acquire({ path, sha256, placement: 'process' });
  const feeds = feedsOf(worker);
  const bytes = Object.values(feeds).reduce((sum, { data }) => sum + data.byteLength, 0);
  const single: number[] = [];
  const saturated: number[] = [];
  const more: number[] = [];
  for (let round = -1; round < rounds; round++) {
    const workerOne = await perRun(() => worker.run(feeds), 1);
    const childOne = await perRun(() => child.run(feeds), 1);
    const workerMany = await perRun(() => worker.run(feeds), IN_FLIGHT);
    const childMany = await perRun(() => child.run(feeds), IN_FLIGHT);
    if (round < 0) continue;
    single.push(workerOne / childOne);
    saturated.push(workerMany / childMany);
    more.push(childMany - workerMany);
  }
  bench.note(
    `  in a process ${median(more).toFixed(3)} ms a run more than in a thread, ${(bytes / 1e6).toFixed(2)} MB of inputs`,
  );
  bench.record({ case: name, measure: 'worker_ratio', value: median(saturated), unit: 'ratio' });
  bench.record({ case: name, measure: 'worker_ratio_one_at_a_time', value: median(single), unit: 'ratio' });
  const busy = await eventLoopP99(() => during(3000, () => child.run(feeds), IN_FLIGHT));
  bench.record({ case: name, measure: 'event_loop_p99_ms', value: Math.max(0, busy - idle), unit: 'ms', target: '< 5' });
  await worker.release();
  await child.release();
}

/** Milliseconds of one of many runs, `inFlight` of them on their way at any time. */
async function perRun(run: () => Promise<unknown>, inFlight: number): Promise<number> {
  await run();
  const started = performance.now();
  const count = await during(BLOCK_MS, run, inFlight);
  return (performance.now() - started) / count;
}

async function during(milliseconds: number, run: () => Promise<unknown>, inFlight: number): Promise<number> {
  const end = performance.now() + milliseconds;
  let count = 0;
  const one = async () => {
    do {
      await run();
      count += 1;
    } while (performance.now() < end);
  };
  await Promise.all(Array.from({ length: inFlight }, one));
  return count;
}

async function eventLoopP99(work: () => Promise<unknown>): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  await work();
  delay.disable();
  return delay.percentile(99) / 1e6;
}

interface Engine {
  run(): Promise<unknown>;
  release(): Promise<void>;
}

async function bareEngine(path: string, options: ort.InferenceSession.SessionOptions): Promise<Engine> {
  const session = await ort.InferenceSession.create(path, options);
  const inputs = session.inputMetadata.map((metadata) => {
    if (!metadata.isTensor) throw new Error(`${path}: ${metadata.name} is not a tensor`);
    const shape = metadata.shape.map((size) => (typeof size === 'number' ? size : 1));
    return { name: metadata.name, ...valuesOf(metadata.type as TensorValue['type'], shape) };
  });
  return {
    run: () =>
      session.run(
        Object.fromEntries(inputs.map(({ name, type, shape, data }) => [name, new ort.Tensor(type, data as never, shape)])),
      ),
    release: () => session.release(),
  };
}

function feedsOf({ info }: Lease): Record<string, TensorValue> {
  const shape = (sizes: readonly (number | string)[]) => sizes.map((size) => (typeof size === 'number' && size >= 0 ? size : 1));
  return Object.fromEntries(info.inputs.map(({ name, type, shape: sizes }) => [name, valuesOf(type, shape(sizes))]));
}

function valuesOf(type: TensorValue['type'], shape: readonly number[]): TensorValue {
  const data = new ELEMENT_ARRAYS[type](elementCount(shape));
  // Zeros run faster than data; whole numbers other than pixels may be indices.
  for (let index = 0; index < data.length; index++) {
    if (type === 'float32') data[index] = Math.sin(index);
    else if (type === 'uint8') data[index] = index * 7;
  }
  return { type, shape, data } as TensorValue;
}

/** The ONNX files of a folder with fixed shapes that run on made-up inputs, fastest first. */
async function measuredFiles(folder: string): Promise<{ path: string; ms: number }[]> {
  if (!existsSync(folder)) return [];
  const found: { path: string; ms: number }[] = [];
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.onnx'))) {
    const path = join(folder, file);
    const ms = await bareMs(path).catch(() => undefined);
    if (ms !== undefined) found.push({ path, ms });
  }
  return found.sort((a, b) => a.ms - b.ms);
}

async function bareMs(path: string): Promise<number> {
  const engine = await bareEngine(path, sessionOptions({}));
  try {
    await engine.run();
    const times: number[] = [];
    while (times.length < 15) {
      const before = performance.now();
      await engine.run();
      times.push(performance.now() - before);
    }
    return median(times);
  } finally {
    await engine.release();
  }
}

/** A convolutional network, made deeper until it takes that long on this machine. */
async function madeUp(
  folder: string,
  name: string,
  atLeastMs: number,
  [size, channels]: readonly [number, number],
): Promise<string> {
  const path = join(folder, `${name}.onnx`);
  for (let layers = 2; ; layers++) {
    writeFileSync(path, convolutionalModel(size, channels, layers));
    if ((await bareMs(path)) >= atLeastMs) return path;
  }
}

/** What Node-RED does to a message for every wire after the first. */
function wires(bench: Bench, rounds: number): void {
  const { cloneMessage } = require('@node-red/util').util as { cloneMessage: (message: object) => object };
  const edge = {
    source: 'front door',
    sequence: 4711,
    capturedAt: 1_764_000_000_000,
    timings: { capture: 12, prepare: 5, queue: 1, run: 8, decode: 1 },
    frame: makeFrame(new Uint8Array(1920 * 1080 * 3), 'rgb8', 1920, 1080),
  };
  const values = new Float32Array(300_000);
  const message = (payload: unknown) => ({ _msgid: 'a1b2c3d4e5f60718', topic: 'camera/front', payload, edge });
  const cases = {
    'tensor-1.2MB': message(makeTensor({ type: 'float32', shape: [1, 300_000], data: values })),
    'frame-6MB': message(edge.frame),
  };
  for (const [name, each] of Object.entries(cases)) {
    const times = Array.from({ length: rounds }, () => timeOf(() => cloneMessage(each), 2000));
    bench.record({ case: name, measure: 'wire_us', value: median(times) * 1000, unit: 'us', target: '< 10' });
  }
  const plain = message(values.slice());
  bench.note(
    `for comparison, a plain Float32Array of 1.2 MB on an extra wire: ${timeOf(() => cloneMessage(plain), 3).toFixed(1)} ms`,
  );
}

function timeOf(action: () => unknown, count: number): number {
  const started = performance.now();
  for (let index = 0; index < count; index++) action();
  return (performance.now() - started) / count;
}
