import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { denseModel, loopModel, memoryModel } from '../../../bench/support/graph';
import { type FlowNode, NodeRed } from '../../support/node-red';
import { cpuSeconds, lives, modelProcesses } from '../../support/processes';
import { until } from '../../support/until';

/** A real Node-RED in which every model is behind an HTTP address: what a message becomes is its answer. */
let nodeRed: NodeRed;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'edgeloom-failing-'));
  const models = { loop: loopModel(), memory: memoryModel(), good: denseModel(4, 2, 1) };
  for (const [name, bytes] of Object.entries(models)) writeFileSync(join(folder, `${name}.onnx`), bytes);
  nodeRed = await NodeRed.start();
}, 120_000);
afterAll(async () => {
  await nodeRed?.stop();
  rmSync(folder, { recursive: true, force: true });
}, 30_000);

/** A flow of its own: the address, the model, and a Catch node whose answer is the code of the error. */
function flowOf(name: string, model: Record<string, string>): FlowNode[] {
  const z = `tab-${name}`;
  const node = (id: string, type: string, wires: string[], more: object = {}): FlowNode => ({
    id: `${name}-${id}`,
    type,
    z,
    x: 100,
    y: 100,
    wires: [wires.map((to) => `${name}-${to}`)],
    ...more,
  });
  const rule = (p: string, to: string, tot: string) => ({ t: 'set', p, pt: 'msg', to, tot });
  return [
    { id: z, type: 'tab', label: name },
    { id: `${name}-model`, type: 'edge-model', source: join(folder, `${name}.onnx`), task: 'tensors', ...model },
    node('in', 'http in', ['infer'], { url: `/${name}`, method: 'post' }),
    node('infer', 'edge-infer', ['out'], { model: `${name}-model`, policy: 'wait', capacity: '20' }),
    node('out', 'http response', []),
    node('catch', 'catch', ['code'], { scope: null, uncaught: false }),
    node('code', 'change', ['failed'], { rules: [rule('payload', 'error.code', 'msg')] }),
    node('failed', 'http response', [], { statusCode: '500' }),
  ];
}

/** What became of a message: 200, or the code of its error. */
async function ask(name: string, body: object): Promise<string> {
  const response = await nodeRed.request('POST', name, { body });
  return response.ok ? '200' : response.text();
}
const loop = (times: number) => ask('loop', { times, x: 1 });

describe('a flow whose model crashes, hangs or takes too much memory, beside another flow', () => {
  it('answers each message with a result or a code, goes on by itself, and disturbs neither Node-RED nor the other', async () => {
    await nodeRed.deploy([
      ...flowOf('loop', { placement: 'process', runTimeout: '4' }),
      ...flowOf('memory', { placement: 'process', memoryLimit: '500' }),
      ...flowOf('good', {}),
    ]);
    // Its first run, in a process that is gone then.
    expect(await ask('good', { x: [1, 2, 3, 4] })).toBe('200');
    const other: string[] = [];
    let over = false;
    const steady = (async () => {
      while (!over) other.push(await ask('good', { x: [1, 2, 3, 4] }));
    })();

    expect(await loop(3)).toBe('200');
    expect(await ask('memory', { count: 10 })).toBe('200');
    const before = modelProcesses(nodeRed.pid);
    expect(before).toHaveLength(2);

    // A hang, with messages behind it.
    const behind = [loop(2 ** 50), loop(1), loop(2)];
    expect(await Promise.all(behind)).toEqual(['EDGE_MODEL_TIMEOUT', '200', '200']);

    // 4 GB.
    expect(await ask('memory', { count: 2 ** 30 })).toBe('EDGE_MODEL_MEMORY');
    expect(await ask('memory', { count: 10 })).toBe('200');

    // A native crash in the middle of a run.
    const now = modelProcesses(nodeRed.pid);
    const worked = new Map(now.map((pid) => [pid, cpuSeconds(pid)]));
    const crashes = loop(2 ** 50);
    let inside: number | undefined;
    await until(() => {
      inside = now.find((pid) => cpuSeconds(pid) > worked.get(pid)! + 0.3);
      return inside !== undefined;
    }, 'a process that works');
    const waits = loop(4);
    process.kill(inside!, 'SIGSEGV');
    expect(await crashes).toBe('EDGE_MODEL_CRASHED');
    expect(await waits).toBe('200');

    over = true;
    await steady;
    expect(new Set(other)).toEqual(new Set(['200']));
    expect(nodeRed.running()).toBe(true);
    for (const pid of before) expect(lives(pid)).toBe(false);
  }, 90_000);

  it('closes the processes with the flows', async () => {
    const pids = modelProcesses(nodeRed.pid);
    expect(pids).toHaveLength(2);
    await nodeRed.deploy(flowOf('good', {}));
    await until(() => !pids.some(lives), 'the end of the processes');
  }, 60_000);
});
