import { setImmediate as nextTurn } from 'node:timers/promises';
import { asEdgeError, EdgeError } from '../../errors';
import { elementCount, type TensorData, type TensorInfo, type TensorValue } from '../../message/tensor';
import type { BackendSession, Tensors } from '../backend';
import { findBackend } from '../backends';
import { defaultThreads } from '../backends/onnxruntime-node';
import { allFinite, holdsNaN } from '../finite';
import { checkFeeds } from '../input';
import { joinFeeds, type Measurement, measureAs } from '../measure';
import {
  MOST_WAITING,
  type OpenSpec,
  type RunOrigin,
  type RunResult,
  type Session,
  type SessionInfo,
  type SessionStats,
} from '../session';

/**
 * A slice of the event loop aims at this many milliseconds of our own. What the flow then does with a batch of results comes on
 * top, in the same turn, and together they should stay well under the 5 ms after which a node is felt.
 */
const SLICE_MS = 1;

/** Most rows in one batch, and where the search for a good number begins. */
const MOST_ROWS = 1024;
const FIRST_ROWS = 16;

interface Job {
  feeds: Tensors;
  owner: object | undefined;
  signal: AbortSignal | undefined;
  rows: number;
  calledAt: number;
  resolve(result: RunResult): void;
  reject(reason: unknown): void;
}

/**
 * A model on Node-RED's own thread, for those so small that a hop to another thread costs more than the run. Runs that wait are
 * joined along the first dimension where `measure` has shown that this changes nothing, as many as fit a slice of 1 ms; between
 * slices the event loop has its turn.
 */
export class MainSession implements Session {
  private readonly waiting: Job[] = [];
  private readonly counts = { done: 0, failed: 0 };
  private running = 0;
  private rowsPerSlice = FIRST_ROWS;
  private working: Promise<void> | undefined;
  private closed: Promise<void> | undefined;

  /** @throws what the backend's `open` throws, EDGE_RUNTIME_MISSING */
  static async open(spec: OpenSpec, known?: Measurement, notes: readonly string[] = []): Promise<MainSession> {
    const backend = findBackend(spec.backend);
    const { version } = await backend.load();
    const session = await backend.open(spec.path, spec.options);
    const { medianMs, batchable } = await measureAs(known ?? true, session);
    const info: SessionInfo = {
      backend: spec.backend,
      engineVersion: version,
      placement: 'main',
      ...(medianMs === undefined ? {} : { medianMs }),
      threads: spec.options.threads ?? defaultThreads(),
      notes: [...notes, ...(session.notes ?? [])],
      warnings: [],
      inputs: session.inputs,
      outputs: session.outputs,
    };
    return new MainSession(info, session, batchable);
  }

  private constructor(
    readonly info: SessionInfo,
    private readonly session: BackendSession,
    private readonly batchable: boolean,
  ) {}

  async run(feeds: Tensors, { owner, signal }: RunOrigin = {}): Promise<RunResult> {
    const calledAt = performance.now();
    if (this.closed) throw new EdgeError('EDGE_SESSION_CLOSED');
    signal?.throwIfAborted();
    checkFeeds(feeds, this.info.inputs);
    for (const [name, value] of Object.entries(feeds)) {
      if (!allFinite(value)) throw new EdgeError('EDGE_INPUT_NOT_FINITE', `the input ${name}`);
    }
    const rows = this.batchable ? commonRows(feeds) : 1;
    if (this.waiting.length >= MOST_WAITING) throw new EdgeError('EDGE_QUEUE_FULL', `${MOST_WAITING} runs wait for the model`);
    const result = await new Promise<RunResult>((resolve, reject) => {
      this.waiting.push({ feeds, owner, signal, rows, calledAt, resolve, reject });
      this.working ??= this.work();
    });
    signal?.throwIfAborted();
    return result;
  }

  withdraw(owner: object): void {
    this.refuse(this.waiting.filter((job) => job.owner === owner));
  }

  stats(): SessionStats {
    return { waiting: this.waiting.length, running: this.running, ...this.counts, restarts: 0 };
  }

  close(): Promise<void> {
    this.closed ??= this.end();
    return this.closed;
  }

  private async end(): Promise<void> {
    this.refuse([...this.waiting]);
    await this.working;
    await this.session.release();
  }

  private refuse(jobs: readonly Job[]): void {
    for (const job of jobs) {
      this.waiting.splice(this.waiting.indexOf(job), 1);
      job.reject(new EdgeError('EDGE_SESSION_CLOSED'));
    }
  }

  private async work(): Promise<void> {
    // What else is sent in this turn of the event loop belongs to the same batch.
    await nextTurn();
    while (this.waiting.length > 0) {
      const batch = this.nextBatch();
      this.running = batch.length;
      if (batch.length > 0) await this.runBatch(batch);
      this.running = 0;
    }
    this.working = undefined;
  }

  private nextBatch(): Job[] {
    const batch: Job[] = [];
    let rows = 0;
    while (this.waiting.length > 0) {
      const job = this.waiting[0]!;
      if (job.signal?.aborted) {
        this.waiting.shift();
        job.reject(job.signal.reason);
        continue;
      }
      const full = batch.length > 0 && (!this.batchable || rows + job.rows > this.rowsPerSlice);
      if (full) break;
      batch.push(this.waiting.shift()!);
      rows += job.rows;
    }
    return batch;
  }

  private async runBatch(batch: readonly Job[]): Promise<void> {
    const { inputs } = this.info;
    const startedAt = performance.now();
    const rows = batch.reduce((sum, job) => sum + job.rows, 0);
    try {
      const feeds =
        batch.length === 1
          ? batch[0]!.feeds
          : joinFeeds(
              inputs,
              batch.map((job) => job.feeds),
            );
      const joinMs = performance.now() - startedAt;
      if (rows > this.rowsPerSlice) {
        const { outputs, runMs } = await this.runInSlices(feeds, rows);
        this.give(batch, outputs, rows, startedAt, runMs);
        return;
      }
      const { outputs, runMs } = await this.runOnce(feeds);
      const givingAt = performance.now();
      this.give(batch, outputs, rows, startedAt, runMs);
      this.learnRows(rows, joinMs + runMs + performance.now() - givingAt);
    } catch (thrown) {
      // One input that the engine refuses is not the fault of those beside it.
      if (batch.length > 1) for (const job of batch) await this.runBatch([job]);
      else {
        this.counts.failed += 1;
        batch[0]!.reject(asEdgeError(thrown, 'EDGE_RUNTIME_FAILED'));
      }
    }
  }

  private async runOnce(feeds: Tensors): Promise<{ outputs: Tensors; runMs: number }> {
    // The engine lets the event loop have its turn before it runs.
    const before = performance.now();
    const outputs = await this.session.run(feeds);
    return { outputs, runMs: performance.now() - before };
  }

  /** One call with more rows than a slice takes. */
  private async runInSlices(feeds: Tensors, rows: number): Promise<{ outputs: Tensors; runMs: number }> {
    const parts: Tensors[] = [];
    let runMs = 0;
    for (let from = 0; from < rows; ) {
      const count = Math.min(this.rowsPerSlice, rows - from);
      const part = await this.runOnce(takeRows(feeds, this.info.inputs, from, count));
      this.learnRows(count, part.runMs);
      parts.push(part.outputs);
      runMs += part.runMs;
      from += count;
    }
    return { outputs: joinFeeds(this.info.outputs, parts), runMs };
  }

  /** More rows while a slice stays well under its time, fewer at once when it does not. */
  private learnRows(rows: number, sliceMs: number): void {
    if (sliceMs > SLICE_MS) this.rowsPerSlice = Math.max(1, Math.floor(rows / 2));
    else if (rows * 2 > this.rowsPerSlice && sliceMs < SLICE_MS / 4)
      this.rowsPerSlice = Math.min(MOST_ROWS, this.rowsPerSlice * 2);
  }

  private give(batch: readonly Job[], outputs: Tensors, rows: number, startedAt: number, runMs: number): void {
    let from = 0;
    for (const job of batch) {
      const own = job.rows === rows ? outputs : takeRows(outputs, this.info.outputs, from, job.rows, true);
      from += job.rows;
      const bad = Object.keys(own).find((name) => holdsNaN(own[name]!));
      if (bad === undefined) {
        this.counts.done += 1;
        // The engine's time is shared by those who ran together.
        job.resolve({ outputs: own, queueMs: startedAt - job.calledAt, runMs: (runMs * job.rows) / rows });
      } else {
        this.counts.failed += 1;
        job.reject(new EdgeError('EDGE_MODEL_OUTPUT_NOT_FINITE', `the output ${bad}`));
      }
    }
  }
}

function commonRows(feeds: Tensors): number {
  const rows = new Set(Object.values(feeds).map(({ shape }) => shape[0]!));
  if (rows.size > 1) throw new EdgeError('EDGE_MODEL_INPUT_SHAPE', `inputs of ${[...rows].join(' and ')} rows`);
  return [...rows][0]!;
}

/** Rows of every tensor: as views, or copied where they are given away. */
function takeRows(values: Tensors, infos: readonly TensorInfo[], from: number, count: number, copied = false): Tensors {
  const taken: Tensors = {};
  for (const { name } of infos) {
    const { type, shape, data } = values[name]!;
    const row = elementCount(shape.slice(1));
    const cut = (copied ? data.slice : data.subarray) as (start: number, end: number) => TensorData;
    taken[name] = {
      type,
      shape: [count, ...shape.slice(1)],
      data: cut.call(data, from * row, (from + count) * row),
    } as TensorValue;
  }
  return taken;
}
