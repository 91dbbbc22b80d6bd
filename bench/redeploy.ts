import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bench } from './support/bench';
import { MeasuredNodeRed, ROOT } from './support/node-red';
import { median, quantile } from './support/statistics';
import type { Arrival, Tally } from './support/tally';
import { samplePictures, twoVersions } from './support/two-versions';

const FRAMES_PER_SECOND = 30;
/** Changes before memory is compared, and how many readings the comparison's two ends have. */
const WARM_UP = 10;
/** Seconds of nothing but frames after each change: the steady state that the change is compared with. */
const STEADY_S = 3;

interface Counts {
  redeploys: number;
  swaps: number;
}

/**
 * A camera of 30 frames a second into a flow that is deployed again and again, in a real Node-RED.
 *
 * - `redeploys`: half of them deploy the nodes that changed (the inference node gets another name), half of them everything
 *   (source, inference and sink are all closed and made anew). Nothing about the model changes.
 * - `swaps`: the model node gets the other one of two versions of the packaged detector, with a golden sample. A change lasts from
 *   the deploy to the first result of the other version; `p99_ratio` compares the latency of frames sent during changes with that
 *   of frames sent in the 3 s after each, side by side in one run.
 * - `lost`: frames sent, less those published, less those that the queue's policy dropped as the status counts them.
 * - `rss_growth_ratio`: memory of the process tree after the last ten changes over that after changes 6 to 15.
 * - `handle_growth`: handles, requests, file descriptors and threads of the process more than at the start, per cycle.
 *
 * `-- redeploy --short` makes 6 redeploys and 4 swaps; `dispose-then-load` alone measures only the usual way.
 */
export default async function redeploy(bench: Bench): Promise<void> {
  const short = bench.options.rest.includes('short');
  const wanted = (name: string) => bench.options.rest.filter((word) => word !== 'short').every((word) => word === name);
  const folder = mkdtempSync(join(tmpdir(), 'edgeloom-redeploy-'));
  try {
    samplePictures(folder, 12, ROOT);
    const versions = twoVersions(folder, ROOT);
    const counts = short ? { redeploys: 6, swaps: 4 } : { redeploys: 100, swaps: WARM_UP + 100 };
    if (wanted('ours')) await ours(bench, folder, versions, counts);
    if (wanted('dispose-then-load')) await disposeThenLoad(bench, folder, versions, short ? 4 : 20);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function ours(bench: Bench, folder: string, versions: [string, string], counts: Counts): Promise<void> {
  const flow = (name: string, source: string) => [
    ...frame(folder),
    { id: 'model', type: 'edge-model', source },
    { ...at('infer', 2), type: 'edge-infer', name, model: 'model', policy: 'latest', wires: [['tally']] },
  ];
  const run = await Run.start(flow('0', versions[0]));
  try {
    await run.until(() => run.arrivals.length >= 60, 'the first results');
    const before = await run.settledHandles();
    for (let count = 0; count < counts.redeploys; count++) {
      const type = count % 2 === 0 ? 'nodes' : 'full';
      await run.deploy(flow(String(count >> 1), versions[0]), type);
      await pause(1 + Math.random());
    }
    await run.settle();
    bench.record({ case: 'ours', measure: 'lost_redeploy', value: await run.lost(), unit: 'frames', target: '= 0' });

    await run.tick();
    const windows: [from: number, to: number][] = [];
    const memory: number[] = [];
    for (let count = 1; count <= counts.swaps; count++) {
      const version = count % 2;
      const from = await run.now();
      await run.deploy(flow('swapped', versions[version]!), 'nodes');
      const to = await run.firstOf(`detector@${version + 1}`, from);
      windows.push([from, to]);
      await pause(STEADY_S);
      memory.push(run.nodeRed.tree().rssMb);
      if (count % 10 === 0) bench.note(`swap ${count}: ${(to - from).toFixed(0)} ms, ${inWords(run.tally.memory)}`);
    }
    await run.settle();
    const cycles = counts.redeploys + counts.swaps;
    const after = await run.settledHandles();
    recordAll(bench, run, { windows, memory, handleGrowth: (after - before) / cycles, lost: await run.lost() });
  } finally {
    await run.stop();
  }
}

function recordAll(
  bench: Bench,
  run: Run,
  figures: { windows: [number, number][]; memory: number[]; handleGrowth: number; lost: number },
): void {
  const { windows, memory } = figures;
  const ours = (measure: string, value: number, unit: string, target?: string) =>
    bench.record({ case: 'ours', measure, value, unit, ...(target ? { target } : {}) });
  ours('crashes', run.nodeRed.running ? 0 : 1, 'processes', '= 0');
  ours('lost', figures.lost, 'frames', '= 0');
  ours('sent', run.tally.sent, 'frames');
  ours('dropped', run.tally.dropped, 'frames');
  const during = run.arrivals.filter(([, sentAt]) => windows.some(([from, to]) => sentAt >= from && sentAt <= to));
  const steady = run.arrivals.filter(([, sentAt]) =>
    windows.some(([, to]) => sentAt > to + 100 && sentAt <= to + STEADY_S * 1000 - 200),
  );
  const p99 = (arrivals: readonly Arrival[]) =>
    quantile(
      arrivals.map(([, , latency]) => latency),
      0.99,
    );
  ours('swap_ms', median(windows.map(([from, to]) => to - from)), 'ms');
  ours('steady_p99_ms', p99(steady), 'ms');
  ours('swap_p99_ms', p99(during), 'ms');
  ours('p99_ratio', p99(during) / p99(steady), 'ratio', '<= 2');
  if (memory.length > 2 * WARM_UP) {
    const first = median(memory.slice(WARM_UP - 5, WARM_UP + 5));
    ours('rss_growth_ratio', median(memory.slice(-10)) / first, 'ratio', '<= 1.10');
    ours('rss_mb', median(memory.slice(-10)), 'MiB');
  }
  ours('handle_growth', figures.handleGrowth, 'per cycle', '<= 0.1');
  const strange = [...new Set(run.tally.errors)];
  if (strange.length > 0) bench.note(`errors: ${strange.join(', ')}`);
}

function inWords({ rss, heapTotal, heapUsed, external }: NodeJS.MemoryUsage): string {
  const [all, total, used, outside] = [rss, heapTotal, heapUsed, external].map((bytes) => Math.round(bytes / 2 ** 20));
  return `${all} MiB resident, heap ${used} of ${total}, outside of it ${outside}`;
}

/** The same camera and models through a node that releases its session and then loads the next. */
async function disposeThenLoad(bench: Bench, folder: string, versions: [string, string], swaps: number): Promise<void> {
  const flow = (version: 0 | 1) => [
    ...frame(folder),
    {
      ...at('infer', 2),
      type: 'bench-dispose-then-load',
      path: join(versions[version], 'model.onnx'),
      version: `detector@${version + 1}`,
      wires: [['tally']],
    },
  ];
  const run = await Run.start(flow(0));
  try {
    await run.until(() => run.arrivals.length >= 60, 'the first results');
    await run.settle();
    // What it lost while it loaded for the first time is not the change's.
    const already = await run.lost();
    await run.tick();
    for (let count = 1; count <= swaps; count++) {
      const version = (count % 2) as 0 | 1;
      const from = await run.now();
      await run.deploy(flow(version), 'nodes');
      await run.firstOf(`detector@${version + 1}`, from);
      await pause(1);
    }
    await run.settle();
    const lost = (await run.lost()) - already;
    bench.record({ case: 'dispose-then-load', measure: 'lost', value: lost, unit: 'frames' });
    bench.record({ case: 'dispose-then-load', measure: 'lost_per_change', value: lost / swaps, unit: 'frames' });
  } finally {
    await run.stop();
  }
}

/** One Node-RED under a camera, and what has arrived in it so far. */
class Run {
  readonly arrivals: Arrival[] = [];
  tally!: Tally;

  private constructor(readonly nodeRed: MeasuredNodeRed) {}

  static async start(flow: unknown[]): Promise<Run> {
    const run = new Run(await MeasuredNodeRed.start(flow, {}, 'redeploy-driver'));
    await run.tick();
    return run;
  }

  tick(): Promise<void> {
    return this.nodeRed.begin();
  }

  /** Node-RED answers a deploy before the flows run again; a second one may overlap it, as at an impatient user's. */
  async deploy(flow: unknown[], type: 'full' | 'nodes'): Promise<void> {
    await this.nodeRed.deploy(flow, type);
  }

  async look(): Promise<Tally> {
    this.tally = await this.nodeRed.get<Tally>('bench/tally');
    for (const arrival of this.tally.arrivals) this.arrivals.push(arrival);
    return this.tally;
  }

  async now(): Promise<number> {
    return (await this.look()).now;
  }

  /** On the clock of the frames: when the first result of this model arrived, after `since`. */
  async firstOf(model: string, since: number): Promise<number> {
    const found = () => this.arrivals.findLast(([, sentAt, , by]) => by === model && sentAt >= since);
    await this.until(() => found() !== undefined, `a result of ${model}`);
    const [, sentAt, latency] = this.arrivals.find(([, sent, , by]) => by === model && sent >= since)!;
    return sentAt + latency;
  }

  /** Nothing more is sent, and what was sent is through: completed or failed, or nothing has happened for 5 s. */
  async settle(): Promise<void> {
    await pause(1);
    await this.nodeRed.end();
    let through = -1;
    let since = Date.now();
    await this.until(({ sent, completed, errors }) => {
      if (completed + errors.length !== through) since = Date.now();
      through = completed + errors.length;
      return through >= sent || Date.now() - since > 5_000;
    }, 'the last results');
  }

  /** Frames that were neither published nor dropped by policy; the status, which counts those, may be a little late. */
  async lost(): Promise<number> {
    const end = Date.now() + 5_000;
    for (;;) {
      const { sent, dropped, twice } = await this.look();
      const lost = sent - dropped - (this.arrivals.length - twice);
      if (lost <= 0 || Date.now() > end) return lost;
      await pause(0.2);
    }
  }

  /** The median of a few readings. */
  async settledHandles(): Promise<number> {
    const readings: number[] = [];
    for (let reading = 0; reading < 7; reading++) {
      readings.push((await this.look()).handles);
      await pause(0.5);
    }
    return median(readings);
  }

  async until(done: (tally: Tally) => boolean, what: string): Promise<void> {
    const end = Date.now() + 60_000;
    while (!done(await this.look())) {
      if (Date.now() > end) throw new Error(`waited for ${what}: ${JSON.stringify(this.tally)}\n${this.nodeRed.log()}`);
      await pause(0.1);
    }
  }

  stop(): Promise<void> {
    return this.nodeRed.stop();
  }
}

/** Source and sinks around the node under test. */
function frame(folder: string): unknown[] {
  return [
    { id: 'tab', type: 'tab', label: 'bench' },
    { ...at('ticker', 1), type: 'bench-ticker', folder, framesPerSecond: FRAMES_PER_SECOND, wires: [['infer']] },
    { ...at('tally', 3), type: 'bench-tally', wires: [] },
    { ...at('complete', 4), type: 'complete', scope: ['infer'], wires: [['completed']] },
    { ...at('catch', 4), type: 'catch', wires: [['completed']] },
    { ...at('completed', 5), type: 'bench-completed', wires: [] },
  ];
}

function at(id: string, column: number) {
  return { id, z: 'tab', x: column * 160, y: 80 };
}

function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}
