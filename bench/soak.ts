import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bench } from './support/bench';
import { MeasuredNodeRed, ROOT } from './support/node-red';
import { quantile, slope } from './support/statistics';
import { twoVersions } from './support/two-versions';

/** Share of the time that is not counted: memory pools fill, the collector learns. */
const WARM_UP = 0.2;
const SAMPLE_S = 5;

/**
 * The security camera template with the packaged recording, publishing to a broker, for an hour (`--long`) or three minutes, while
 * its model is changed every minute (every 15 s in the short form). `rss_slope_mb_per_h` is the slope of the process tree's
 * memory by least squares after the first fifth of the time; of three minutes it says little.
 */
export default async function soak(bench: Bench): Promise<void> {
  const seconds = bench.options.long ? 3600 : 180;
  const swapEvery = bench.options.long ? 60 : 15;
  const folder = mkdtempSync(join(tmpdir(), 'edgeloom-soak-'));
  const broker = await startBroker();
  const versions = twoVersions(folder, ROOT);
  const nodeRed = await MeasuredNodeRed.start(template(broker.port, versions[0]), {}, 'redeploy-driver');
  try {
    const memory: [hours: number, mebibytes: number][] = [];
    const started = Date.now();
    const elapsed = () => (Date.now() - started) / 1000;
    let swaps = 0;
    let quietest = Number.POSITIVE_INFINITY;
    let before = broker.published();
    while (elapsed() < seconds && nodeRed.running) {
      await pause(SAMPLE_S);
      memory.push([elapsed() / 3600, nodeRed.tree().rssMb]);
      const published = broker.published();
      if (elapsed() > seconds * WARM_UP) quietest = Math.min(quietest, (published - before) / SAMPLE_S);
      before = published;
      if (Math.floor(elapsed() / swapEvery) > swaps) {
        swaps += 1;
        await nodeRed.deploy(template(broker.port, versions[swaps % 2]!), 'nodes');
        if (swaps % 5 === 0) bench.note(`${elapsed().toFixed(0)} s: ${swaps} changes, ${memory.at(-1)![1].toFixed(0)} MiB`);
      }
    }
    const steady = memory.slice(Math.floor(memory.length * WARM_UP));
    const figure = (measure: string, value: number, unit: string, target?: string) =>
      bench.record({ case: 'template', measure, value, unit, ...(target ? { target } : {}) });
    figure('crashes', nodeRed.running ? 0 : 1, 'processes', '= 0');
    figure('minutes', elapsed() / 60, 'min');
    figure('changes', swaps, 'changes');
    figure('published', broker.published(), 'messages');
    figure('quietest_per_s', quietest, 'messages/s');
    const values = steady.map(([, mebibytes]) => mebibytes);
    figure('rss_mb', quantile(values, 0.5), 'MiB');
    figure('rss_slope_mb_per_h', slope(steady), 'MiB/h');
  } finally {
    await nodeRed.stop();
    await broker.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface FlowNode {
  id: string;
  type: string;
  [property: string]: unknown;
}

/** As imported, but for the broker's address and a model of one's own. */
function template(port: number, source: string): FlowNode[] {
  const flow: FlowNode[] = JSON.parse(readFileSync(join(ROOT, 'flows', 'security-camera', 'flow.json'), 'utf8'));
  const changed = flow.map((node) => {
    if (node.type === 'edge-broker') return { ...node, address: `mqtt://127.0.0.1:${port}` };
    return node.type === 'edge-infer' ? { ...node, model: 'soak-model' } : node;
  });
  return [...changed.filter(({ id }) => id !== 'soak-model'), { id: 'soak-model', type: 'edge-model', source }];
}

/** An MQTT broker in this process, so that its memory is nobody's. */
async function startBroker(): Promise<{ port: number; published(): number; close(): Promise<void> }> {
  const { Aedes } = await import('aedes');
  const aedes = await Aedes.createBroker();
  let count = 0;
  aedes.on('publish', (_packet, client) => {
    if (client) count += 1;
  });
  const server = createServer(aedes.handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const close = () => new Promise<void>((resolve) => aedes.close(() => server.close(() => resolve())));
  return { port, published: () => count, close };
}

function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}
