import { EventEmitter } from 'node:events';
import type { Node } from 'node-red';
import { write } from '../core/metrics';
import { figuresOf } from '../nodes/common/figures';
import { measureAll } from '../nodes/common/metrics';
import type { Bench } from './support/bench';
import { quantile } from './support/statistics';

const NODES = 100;
const ROUNDS = 300;

/**
 * What a scrape costs the event loop with 100 nodes that all have a queue, pictures, errors of five codes and a connection, which
 * is more than any of them has: milliseconds of the one turn that looks at everything, and of the longest turn that writes. And
 * what counting costs each message.
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
  const writes: number[] = [];
  let bytes = 0;
  for (let round = 0; round < ROUNDS; round++) {
    await new Promise((resolve) => setImmediate(resolve));
    let since = performance.now();
    const scrape = measureAll({ version: 'bench' });
    looks.push(performance.now() - since);
    let longest = 0;
    bytes = 0;
    since = performance.now();
    for (const text of write(scrape, 'prometheus')) {
      bytes += Buffer.byteLength(text);
      longest = Math.max(longest, performance.now() - since);
      since = performance.now();
    }
    writes.push(longest);
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
  record('look_p99_ms', quantile(looks, 0.99), 'ms', '< 5');
  record('write_p50_ms', quantile(writes, 0.5), 'ms');
  record('write_p99_ms', quantile(writes, 0.99), 'ms', '< 5');
  record('bytes', bytes, 'bytes');
  record('count_ns', counting, 'ns');
}

const CODES = ['EDGE_INPUT_TYPE', 'EDGE_IMAGE_FORMAT', 'EDGE_QUEUE_FULL', 'EDGE_SOURCE_TIMEOUT', 'EDGE_BROKER_OFFLINE'] as const;
