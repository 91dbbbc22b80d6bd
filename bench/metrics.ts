import { EventEmitter } from 'node:events';
import type { Node } from 'node-red';
import { write } from '../core/metrics';
import { figuresOf } from '../nodes/common/figures';
import { measure } from '../nodes/common/metrics';
import type { Bench } from './support/bench';
import { quantile } from './support/statistics';

const NODES = 100;
const ROUNDS = 300;

/**
 * What a scrape costs the event loop with 100 nodes that all have a queue, pictures, errors of five codes and a connection, which
 * is more than any of them has: milliseconds of looking at everything, of looking and writing, and of the longest step between two
 * of which the loop may turn (the route lets it when 1 ms has passed, so 1 ms more is the longest it is kept). And what counting
 * costs a picture.
 */
export default async function metrics(bench: Bench): Promise<void> {
  const nodes = Array.from({ length: NODES }, (_, index) => {
    const node = Object.assign(new EventEmitter(), { id: `node${index}`, type: 'edge-bench', name: `gate ${index} "north"` });
    const figures = figuresOf(node as unknown as Node);
    figures.state = 'running';
    figures.queue = () => ({ in: index, out: index, dropped: 1, failed: 0, waiting: 1, running: 1, oldestMs: 12.5 });
    figures.connection = () => ({ connected: true, connects: 1, published: index, failed: 0, inFlight: 1 });
    for (const code of CODES) figures.countError(code);
    figures.countPicture();
    return { node, figures };
  });
  const looks: number[] = [];
  const slices: number[] = [];
  const wholes: number[] = [];
  let bytes = 0;
  for (let round = 0; round < ROUNDS; round++) {
    await new Promise((resolve) => setImmediate(resolve));
    let since = performance.now();
    let longest = 0;
    const slice = () => {
      longest = Math.max(longest, performance.now() - since);
      since = performance.now();
    };
    const started = since;
    const steps = measure({ version: 'bench' });
    let step = steps.next();
    for (; !step.done; step = steps.next()) slice();
    slice();
    looks.push(performance.now() - started);
    bytes = 0;
    for (const text of write(step.value, 'prometheus')) {
      bytes += Buffer.byteLength(text);
      slice();
    }
    slices.push(longest);
    wholes.push(performance.now() - started);
  }
  const { figures } = nodes[0]!;
  const messages = 2_000_000;
  const started = performance.now();
  for (let message = 0; message < messages; message++) {
    figures.received += 1;
    figures.countPicture();
  }
  const counting = ((performance.now() - started) * 1e6) / messages;
  for (const { node } of nodes) node.emit('close');

  const record = (measure: string, value: number, unit: string, target?: string) =>
    bench.record({ case: `${NODES}-nodes`, measure, value, unit, ...(target ? { target } : {}) });
  record('look_p50_ms', quantile(looks, 0.5), 'ms');
  record('whole_p50_ms', quantile(wholes, 0.5), 'ms');
  record('longest_slice_p50_ms', quantile(slices, 0.5), 'ms');
  record('longest_slice_p99_ms', quantile(slices, 0.99), 'ms', '< 4');
  record('bytes', bytes, 'bytes');
  record('count_ns', counting, 'ns');
}

const CODES = ['EDGE_INPUT_TYPE', 'EDGE_IMAGE_FORMAT', 'EDGE_QUEUE_FULL', 'EDGE_SOURCE_TIMEOUT', 'EDGE_BROKER_OFFLINE'] as const;
