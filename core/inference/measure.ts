import { ELEMENT_ARRAYS, elementCount, type TensorInfo, type TensorValue } from '../message/tensor';
import type { BackendSession, Tensors } from './backend';

/** Most milliseconds that measuring a model may take, and most runs. */
const BUDGET_MS = 300;
const RUNS = 7;

/** Milliseconds above which runs gain nothing by being joined: the way into the engine is a small part of them. */
const JOINABLE_MS = 1;

/** Most values of a made-up input: a damaged model may declare any shape. */
const MOST_VALUES = 2 ** 26;

/** How far the values of a batched run may be from those of single runs, relative to the largest. */
const TOLERANCE = 1e-4;

export interface Measurement {
  /** Milliseconds of one run, the median of a few; absent when made-up inputs do not run. */
  medianMs: number | undefined;
  /** Whether several inputs can be run as one, joined along the first dimension. Tried, not assumed: it may be time. */
  batchable: boolean;
}

/** Run a session on made-up inputs of its declared shapes, dimensions that may vary being 1. */
export async function measure(session: BackendSession): Promise<Measurement> {
  try {
    const feeds = madeUpFeeds(session.inputs, 1, 1);
    const medianMs = await medianRun(session, feeds);
    return { medianMs, batchable: medianMs < JOINABLE_MS && (await isBatchable(session)) };
  } catch {
    return { medianMs: undefined, batchable: false };
  }
}

/**
 * What is to be known of a session that was just opened: measured now, nothing, or what was measured before. Then one run sets up
 * the engine's memory, and shows that the model runs in this place, too.
 */
export async function measureAs(measuring: boolean | Measurement, session: BackendSession): Promise<Measurement> {
  if (measuring === true) return measure(session);
  if (measuring === false) return { medianMs: undefined, batchable: false };
  if (measuring.medianMs !== undefined) await session.run(madeUpFeeds(session.inputs, 1, 1)).catch(() => {});
  return measuring;
}

/** True when only the first dimension of every input and output may vary. */
export function variesOnlyInFirst(infos: readonly TensorInfo[]): boolean {
  return infos.length > 0 && infos.every(({ shape }) => isOpen(shape[0]) && shape.slice(1).every((size) => !isOpen(size)));
}

/** True when no dimension may vary. */
export function isFixed(infos: readonly TensorInfo[]): boolean {
  return infos.every(({ shape }) => !shape.some(isOpen));
}

async function medianRun(session: BackendSession, feeds: Tensors): Promise<number> {
  const started = performance.now();
  // The first run sets up the engine's memory.
  await session.run(feeds);
  const times: number[] = [];
  do {
    const before = performance.now();
    await session.run(feeds);
    times.push(performance.now() - before);
  } while (times.length < RUNS && performance.now() - started < BUDGET_MS);
  times.sort((a, b) => a - b);
  return times[times.length >> 1]!;
}

async function isBatchable(session: BackendSession): Promise<boolean> {
  if (!variesOnlyInFirst(session.inputs) || !variesOnlyInFirst(session.outputs)) return false;
  const first = madeUpFeeds(session.inputs, 1, 2);
  const second = madeUpFeeds(session.inputs, 1, 3);
  try {
    const apart = [await session.run(first), await session.run(second)];
    const together = await session.run(joinFeeds(session.inputs, [first, second]));
    return session.outputs.every(({ name }) => {
      const whole = together[name]!;
      if (whole.shape[0] !== 2 || apart.some((outputs) => outputs[name]!.shape[0] !== 1)) return false;
      return isClose(whole, joinFeeds([{ name }], apart)[name]!);
    });
  } catch {
    return false;
  }
}

/** Feeds of several runs as those of one, joined along the first dimension. */
export function joinFeeds(inputs: readonly Pick<TensorInfo, 'name'>[], feeds: readonly Tensors[]): Tensors {
  const joined: Tensors = {};
  for (const { name } of inputs) {
    const values = feeds.map((each) => each[name]!);
    const { type, shape } = values[0]!;
    const rows = values.reduce((sum, value) => sum + value.shape[0]!, 0);
    const data = new ELEMENT_ARRAYS[type](elementCount([rows, ...shape.slice(1)]));
    let at = 0;
    for (const value of values) {
      data.set(value.data as never, at);
      at += value.data.length;
    }
    joined[name] = { type, shape: [rows, ...shape.slice(1)], data };
  }
  return joined;
}

function madeUpFeeds(inputs: readonly TensorInfo[], open: number, seed: number): Tensors {
  const feeds: Tensors = {};
  let state = seed;
  for (const { name, type, shape } of inputs) {
    const sizes = shape.map((size) => (isOpen(size) ? open : (size as number)));
    if (!(elementCount(sizes) <= MOST_VALUES)) throw new RangeError(`${name} is too large to be made up`);
    const data = new ELEMENT_ARRAYS[type](elementCount(sizes));
    // Zeros for whole numbers, which may be indices; for the rest a cheap sequence, since zeros run faster than data.
    if (data instanceof Float32Array || data instanceof Float64Array || type === 'uint8') {
      const scale = type === 'uint8' ? 255 : 1;
      for (let index = 0; index < data.length; index++) {
        state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
        data[index] = (state / 0x80000000) * scale;
      }
    }
    feeds[name] = { type, shape: sizes, data } as TensorValue;
  }
  return feeds;
}

function isOpen(size: number | string | undefined): boolean {
  return typeof size === 'string' || (typeof size === 'number' && size < 0);
}

function isClose({ data: values }: TensorValue, { data: expected }: TensorValue): boolean {
  if (values.length !== expected.length) return false;
  let most = 1e-12;
  for (const value of expected) most = Math.max(most, Math.abs(Number(value)));
  for (let index = 0; index < values.length; index++) {
    if (!(Math.abs(Number(values[index]) - Number(expected[index])) <= TOLERANCE * most)) return false;
  }
  return true;
}
