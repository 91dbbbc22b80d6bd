import type { Node, NodeAPI, NodeMessage } from 'node-red';
import { Backpressure } from '../../../nodes/common/backpressure';
import { helper, load, until } from '../flow';

/** Nodes that take their time in every way that Node-RED knows. */
function slowNodes(RED: NodeAPI): void {
  const register = (type: string, listen: (node: Node) => void) =>
    RED.nodes.registerType(type, function (this: Node, def: never) {
      RED.nodes.createNode(this, def);
      listen(this);
    });
  register('modern', (node) =>
    node.on('input', (message, send, done) => {
      held.push(() => {
        send(message);
        done();
      });
    }),
  );
  register('old', (node) => node.on('input', (message) => node.send(message)));
  register('never-done', (node) => node.on('input', (_message, _send, _done) => {}));
  register('failing', (node) => node.on('input', (_message, _send, done) => held.push(() => done(new Error('broken')))));
  register('source', (node) => {
    source = { node, RED };
  });
}

let held: (() => void)[] = [];
let source: { node: Node; RED: NodeAPI };
let backpressure: Backpressure;

beforeEach((done) => {
  held = [];
  helper.startServer(done);
});
afterEach(async () => {
  backpressure?.close();
  await helper.unload();
  await new Promise<void>((resolve) => helper.stopServer(() => resolve()));
});

async function start(flow: Record<string, unknown>[], giveUpMs?: number): Promise<void> {
  await load([slowNodes, require('@node-red/nodes/core/common/60-link.js')], flow);
  backpressure = new Backpressure(source.RED, source.node, 2, giveUpMs);
}

function send(): void {
  const message: NodeMessage = { payload: 'x' };
  backpressure.follow(message, source.RED.util.generateId(), () => source.node.send(message));
}

const turns = () => new Promise((resolve) => setTimeout(resolve, 30));

describe('as fast as the flow takes it', () => {
  test('no more messages than the window are under way, through nodes old and new, branches and links', async () => {
    await start([
      { id: 's', type: 'source', wires: [['a', 'old']] },
      { id: 'a', type: 'modern', wires: [['out']] },
      { id: 'out', type: 'link out', mode: 'link', links: ['in'] },
      { id: 'in', type: 'link in', links: ['out'], wires: [['b']] },
      { id: 'b', type: 'modern', wires: [[]] },
      { id: 'old', type: 'old', wires: [['old2']] },
      { id: 'old2', type: 'old', wires: [[]] },
    ]);
    let sent = 0;
    const looping = (async () => {
      while (sent < 6) {
        await backpressure.ready();
        send();
        sent += 1;
      }
    })();
    await until(() => held.length === 2, 'two messages at the first slow node');
    await turns();
    expect({ sent, inFlight: backpressure.inFlight }).toEqual({ sent: 2, inFlight: 2 });
    held.shift()!();
    await until(() => held.length === 2, 'the message at the second slow node');
    await turns();
    // It only moved on to the second slow node: still under way.
    expect({ sent, inFlight: backpressure.inFlight }).toEqual({ sent: 2, inFlight: 2 });
    held.pop()!();
    await until(() => sent === 3, 'room for a third message');
    while (sent < 6 || held.length > 0) {
      held.shift()?.();
      await turns();
    }
    await looping;
    await until(() => backpressure.inFlight === 0, 'all through');
    expect(backpressure.unacknowledged).toBe(0);
  });

  test('a node that fails lets go', async () => {
    await start([
      { id: 's', type: 'source', wires: [['f']] },
      { id: 'f', type: 'failing', wires: [] },
    ]);
    send();
    await until(() => held.length === 1, 'the failing node');
    expect(backpressure.inFlight).toBe(1);
    held[0]!();
    expect(backpressure.inFlight).toBe(0);
  });

  test('through a subflow', async () => {
    await start([
      { id: 's', type: 'source', wires: [['i']] },
      { id: 'i', type: 'subflow:sub', wires: [['last']] },
      { id: 'last', type: 'modern', wires: [[]] },
      {
        id: 'sub',
        type: 'subflow',
        name: 'sub',
        z: undefined,
        in: [{ x: 1, y: 1, wires: [{ id: 'inner' }] }],
        out: [{ x: 2, y: 1, wires: [{ id: 'inner', port: 0 }] }],
      },
      { id: 'inner', type: 'modern', z: 'sub', wires: [[]] },
    ]);
    send();
    await until(() => held.length === 1, 'the node inside');
    expect(backpressure.inFlight).toBe(1);
    held.shift()!();
    await until(() => held.length === 1, 'the node behind');
    expect(backpressure.inFlight).toBe(1);
    held.shift()!();
    expect(backpressure.inFlight).toBe(0);
  });

  test('nobody wired, or a node that never says done, does not stop it for ever', async () => {
    await start(
      [
        { id: 's', type: 'source', wires: [['n']] },
        { id: 'n', type: 'never-done', wires: [] },
      ],
      50,
    );
    send();
    send();
    expect(backpressure.inFlight).toBe(2);
    await backpressure.ready();
    expect(backpressure.unacknowledged).toBeGreaterThan(0);
    backpressure.follow({}, 'alone', () => {});
    await until(() => backpressure.inFlight === 0, 'nothing under way');
  });

  test('closing takes every hook away', async () => {
    await start([{ id: 's', type: 'source', wires: [[]] }]);
    const { hooks } = source.RED as unknown as { hooks: { has(name: string): boolean } };
    expect(hooks.has('onComplete')).toBe(true);
    backpressure.close();
    expect([hooks.has('preDeliver'), hooks.has('postReceive'), hooks.has('onComplete')]).toEqual([false, false, false]);
  });
});
