import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { onnxruntimeNode } from '../core/inference/backends/onnxruntime-node';
import { InferenceHost, type Lease } from '../core/inference/host';
import { ELEMENT_ARRAYS, elementCount, type TensorValue } from '../core/message/tensor';
import { dequantizeModel } from '../core/model/onnx/dequantize';
import type { Bench } from './support/bench';
import { median } from './support/statistics';

const PACKAGED = join(__dirname, '..', 'models', 'coco-ssd-mobilenet-v2-int8.onnx');

/**
 * Case `wasm`: the packaged detector in ONNX Runtime's WebAssembly beside the native engine, one thread each, in turns:
 * `native_ratio` is the time of a run there divided by the native one's; `float_speedup` what making its 8 bits float wins there,
 * `threads_speedup` what every core does. Case `open`: CPU time of opening a model, divided by that of opening its kept optimised
 * graph, over the packaged detector and the ONNX files of `--data` (../shared/models) from 0.5 MB on: `cpu_ratio`, and `tiny_cpu_ratio`
 * below that size, where nothing is kept.
 */
export default async function (bench: Bench): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'edgeloom-bench-'));
  try {
    await wasm(bench, folder, bench.options.long ? 60 : 20);
    await opening(bench, folder, bench.options.long ? 25 : 9);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function wasm(bench: Bench, folder: string, rounds: number): Promise<void> {
  const float = join(folder, 'float.onnx');
  const made = dequantizeModel(readFileSync(PACKAGED));
  if (!made) throw new Error(`${PACKAGED} is not quantized`);
  writeFileSync(float, made.model);
  const host = new InferenceHost();
  const lease = (path: string, backend: string, threads = 1) =>
    host.acquire({ path, sha256: basename(path), backend, placement: 'worker', options: { threads } });
  const cores = Math.min(4, availableParallelism());
  const leases = {
    native: await lease(PACKAGED, 'onnxruntime-node'),
    int8: await lease(PACKAGED, 'onnxruntime-web'),
    float: await lease(float, 'onnxruntime-web'),
    floatThreads: await lease(float, 'onnxruntime-web', cores),
  };
  const times: Record<keyof typeof leases, number[]> = { native: [], int8: [], float: [], floatThreads: [] };
  const names = Object.keys(leases) as (keyof typeof leases)[];
  for (let round = -2; round < rounds; round++) {
    for (const name of names) {
      const { runMs } = await leases[name].run(feedsOf(leases[name]));
      if (round >= 0) times[name].push(runMs);
    }
  }
  await host.close();
  const ratio = (one: keyof typeof leases, other: keyof typeof leases) =>
    median(times[one].map((value, round) => value / times[other][round]!));
  bench.note(names.map((name) => `${name} ${median(times[name]).toFixed(1)} ms`).join(', '));
  bench.record({ case: 'wasm', measure: 'native_ratio', value: ratio('float', 'native'), unit: 'ratio' });
  bench.record({ case: 'wasm', measure: 'float_speedup', value: ratio('int8', 'float'), unit: 'ratio', target: '> 1' });
  bench.record({ case: 'wasm', measure: `threads_speedup_${cores}`, value: ratio('float', 'floatThreads'), unit: 'ratio' });
}

async function opening(bench: Bench, folder: string, rounds: number): Promise<void> {
  const models = bench.options.data ?? join(process.cwd(), '..', 'shared', 'models');
  const others = existsSync(models) ? readdirSync(models).filter((name) => name.endsWith('.onnx')) : [];
  const kept: number[] = [];
  const tiny: number[] = [];
  for (const path of [PACKAGED, ...others.map((name) => join(models, name))]) {
    const sha256 = createHash('sha256').update(readFileSync(path)).digest('hex');
    const optimised = { folder: join(folder, 'optimised'), name: sha256 };
    const [plain, again]: [number[], number[]] = [[], []];
    for (let round = -1; round < rounds; round++) {
      const without = await cpuMs(path, { threads: 1 });
      // The first makes what the others read.
      const withKept = await cpuMs(path, { threads: 1, optimised });
      if (round < 0) continue;
      plain.push(without);
      again.push(withKept);
    }
    const ratio = median(plain.map((value, round) => value / again[round]!));
    const isKept = existsSync(optimised.folder) && readdirSync(optimised.folder).some((name) => name.startsWith(sha256));
    bench.note(
      `${basename(path)} (${(statSync(path).size / 1e6).toFixed(1)} MB): ${median(plain).toFixed(1)} ms of CPU, ` +
        `${isKept ? `kept ${median(again).toFixed(1)} ms, ratio ${ratio.toFixed(2)}` : 'not kept'}`,
    );
    (isKept ? kept : tiny).push(ratio);
  }
  bench.record({ case: 'open', measure: 'cpu_ratio', value: median(kept), unit: 'ratio', target: '>= 1.5' });
  if (tiny.length > 0) bench.record({ case: 'open', measure: 'tiny_cpu_ratio', value: median(tiny), unit: 'ratio' });
}

/** Milliseconds of CPU, of all threads, in which a model is opened. */
async function cpuMs(path: string, options: Parameters<typeof onnxruntimeNode.open>[1]): Promise<number> {
  const before = process.cpuUsage();
  const session = await onnxruntimeNode.open(path, options);
  const { user, system } = process.cpuUsage(before);
  await session.release();
  return (user + system) / 1000;
}

function feedsOf({ info }: Lease): Record<string, TensorValue> {
  return Object.fromEntries(
    info.inputs.map(({ name, type, shape }) => {
      const sizes = shape.map((size) => (typeof size === 'number' && size >= 0 ? size : 1));
      const data = new ELEMENT_ARRAYS[type](elementCount(sizes));
      for (let index = 0; index < data.length; index++) data[index] = (index * 7) % 256;
      return [name, { type, shape: sizes, data } as TensorValue];
    }),
  );
}
