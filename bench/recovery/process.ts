import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { InferenceHost, type Lease } from '../../core/inference/host';
import { ELEMENT_ARRAYS, elementCount, type TensorValue } from '../../core/message/tensor';
import type { Bench } from '../support/bench';
import { convolutionalModel } from '../support/graph';
import { quantile } from '../support/statistics';

const PACKAGED = join(__dirname, '..', '..', 'models', 'coco-ssd-mobilenet-v2-int8.onnx');

/** Runs on their way at a time, as behind a node's queue. */
const IN_FLIGHT = 2;

/**
 * Case `crash`: the packaged detector in a process of its own is run without a pause and killed with SIGSEGV in the middle of it;
 * how long until the next result, in seconds. The first crash of a session each time: `restart_s`. And another one straight after
 * it, when the pause before the restart is twice as long: `second_restart_s`.
 */
export async function crash(bench: Bench): Promise<void> {
  const rounds = bench.options.long ? 100 : 25;
  const folder = mkdtempSync(join(tmpdir(), 'edgeloom-bench-'));
  const made = join(folder, 'model.onnx');
  writeFileSync(made, convolutionalModel(224, 32, 2));
  const path = existsSync(PACKAGED) ? PACKAGED : made;
  const first: number[] = [];
  const second: number[] = [];
  let lost = 0;
  try {
    for (let round = 0; round < rounds; round++) {
      const host = new InferenceHost(0);
      const lease = await host.acquire({ path, sha256: path, placement: 'process', stateFolder: folder });
      const runs = new Runs(lease);
      await runs.next();
      for (const times of [first, second]) {
        // At another point of a run each time.
        await pause(Math.random() * 20);
        const killed = performance.now();
        process.kill(host.stats().sessions[0]!.pid!, 'SIGSEGV');
        await runs.next();
        times.push((performance.now() - killed) / 1000);
      }
      lost += await runs.stop();
      await host.close();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  bench.note(
    `  ${2 * rounds} crashes: ${lost} runs ended with EDGE_MODEL_CRASHED, one for each that hit a run; no other was lost`,
  );
  bench.record({ case: 'crash', measure: 'restart_s', value: quantile(first, 0.95), unit: 's', target: '< 5' });
  bench.record({ case: 'crash', measure: 'restart_median_s', value: quantile(first, 0.5), unit: 's' });
  bench.record({ case: 'crash', measure: 'second_restart_s', value: quantile(second, 0.95), unit: 's' });
}

/** A model that is run without a pause. */
class Runs {
  private readonly feeds: Record<string, TensorValue>;
  private readonly loops: Promise<void>[];
  private waiting: ((at: number) => void)[] = [];
  private over = false;
  private crashed = 0;

  constructor(private readonly lease: Lease) {
    this.feeds = Object.fromEntries(
      lease.info.inputs.map(({ name, type, shape: sizes }) => {
        const shape = sizes.map((size) => (typeof size === 'number' && size > 0 ? size : 1));
        return [name, { type, shape, data: new ELEMENT_ARRAYS[type](elementCount(shape)) } as TensorValue];
      }),
    );
    this.loops = Array.from({ length: IN_FLIGHT }, () => this.loop());
  }

  /** The result of a run that was begun after this call, for what a process gave before it died is no recovery. */
  async next(): Promise<void> {
    const since = Number(process.hrtime.bigint()) / 1e6;
    while ((await new Promise<number>((resolve) => this.waiting.push(resolve))) < since);
  }

  /** How many were lost. */
  async stop(): Promise<number> {
    this.over = true;
    await Promise.all(this.loops);
    return this.crashed;
  }

  private async loop(): Promise<void> {
    while (!this.over) {
      const calledAt = Number(process.hrtime.bigint()) / 1e6;
      try {
        const { queueMs } = await this.lease.run(this.feeds);
        for (const resolve of this.waiting.splice(0)) resolve(calledAt + queueMs);
      } catch (thrown) {
        if ((thrown as { code?: string }).code !== 'EDGE_MODEL_CRASHED') throw thrown;
        this.crashed += 1;
      }
    }
  }
}
