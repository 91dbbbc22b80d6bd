import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NodeMessage } from 'node-red';
import helper from 'node-red-node-test-helper';
import { type Frame, frameBytes, makeFrame } from '../../../core/message/frame';
import type { Provenance } from '../../../core/message/provenance';

/**
 * The way of a frame through the nodes that every flow is made of, in a real Node-RED: what survives, and that what is lost says
 * so with EDGE_FRAME_GONE and the way on which it was lost.
 */
const core = (file: string) => require(`@node-red/nodes/core/${file}`) as (red: unknown) => void;
const nodes = [
  core('common/21-debug'),
  core('common/60-link'),
  core('function/10-function'),
  core('function/10-switch'),
  core('function/15-change'),
  core('function/89-delay'),
  core('function/89-trigger'),
  core('function/rbe'),
  core('parsers/70-JSON'),
  core('sequence/17-split'),
];

interface FrameMessage extends NodeMessage {
  payload: Frame;
  edge: Provenance;
  [property: string]: unknown;
}

const { events } = require('@node-red/util') as { events: NodeJS.EventEmitter };
const contexts = require('@node-red/runtime/lib/nodes/context') as {
  load(): Promise<void>;
  clean(flows: { allNodes: object }): Promise<void>;
  close(): Promise<void>;
};
const userDirectory = mkdtempSync(join(tmpdir(), 'edgeloom-wires-'));
const bytes = Uint8Array.from({ length: 8 * 4 * 3 }, (_, index) => index);

function frameMessage(sequence = 1): FrameMessage {
  const frame = makeFrame(Uint8Array.from(bytes), 'rgb8', 8, 4);
  return { topic: 'door', payload: frame, edge: { source: 'door', sequence, capturedAt: 1, timings: { capture: 2 }, frame } };
}

interface FlowNode {
  id?: string;
  type: string;
  [property: string]: unknown;
}

/**
 * Sends messages through the nodes between `start` and `end`, each wired to the next unless it says otherwise.
 *
 * @param stored open the contexts of the settings, a step of Node-RED's start that the helper leaves out.
 */
async function through(
  between: FlowNode[],
  messages: FrameMessage[],
  count = messages.length,
  stored = false,
): Promise<FrameMessage[]> {
  const steps = between.map((node, index) => ({ ...node, id: node.id ?? `step${index}` }));
  const chain = [{ id: 'start', type: 'helper' }, ...steps, { id: 'end', type: 'helper', wires: [] }];
  const flow = chain.map((node, index) => ({
    z: 'tab',
    x: 100 + 150 * index,
    y: 100,
    wires: [[chain[index + 1]?.id ?? '']],
    ...node,
  }));
  await helper.load(nodes, [{ id: 'tab', type: 'tab', label: 'Flow' }, ...flow]);
  if (stored) await contexts.load();
  const received: FrameMessage[] = [];
  const all = new Promise<void>((resolve) => {
    helper.getNode('end').on('input', (message) => {
      received.push(message as FrameMessage);
      if (received.length === count) resolve();
    });
  });
  for (const message of messages) helper.getNode('start').send(message);
  await all;
  return received;
}

function expectWhole(frame: unknown): void {
  expect(frameBytes(frame as Frame)).toEqual(bytes);
}

function expectGone(frame: unknown, reason: string): void {
  expect(() => frameBytes(frame as Frame)).toThrow(
    expect.objectContaining({ code: 'EDGE_FRAME_GONE', message: expect.stringContaining(reason) }),
  );
}

const rule = (from: string, to: string, more: object = {}) => ({ t: 'set', p: to, pt: 'msg', to: from, tot: 'msg', ...more });

beforeAll((done) => {
  helper.init(require.resolve('node-red'), {
    userDir: userDirectory,
    contextStorage: {
      default: { module: 'memory' },
      disk: { module: 'localfilesystem', config: { dir: userDirectory, cache: false } },
    },
  });
  helper.startServer(done);
});
afterEach(async () => {
  // The helper cleans twice at a time, and one finds what the other is taking away: here there is nothing left for either.
  await contexts.clean({ allNodes: {} });
  await helper.unload();
  await contexts.close();
});
afterAll((done) => {
  helper.stopServer(() => {
    rmSync(userDirectory, { recursive: true, force: true });
    done();
  });
});

describe('a frame and its provenance survive', () => {
  it.each<[string, FlowNode[]]>([
    ['a debug node beside', [{ type: 'switch', property: 'topic', rules: [{ t: 'else' }], wires: [['end', 'look']] }]],
    [
      'change: moved',
      [{ type: 'change', rules: [{ t: 'move', p: 'payload', pt: 'msg', to: 'kept', tot: 'msg' }, rule('kept', 'payload')] }],
    ],
    [
      'change: deep copy of the payload',
      [{ type: 'change', rules: [rule('payload', 'kept', { dc: true }), rule('kept', 'payload', { dc: true })] }],
    ],
    [
      'change: kept in a flow variable',
      [
        {
          type: 'change',
          rules: [
            { t: 'set', p: 'last', pt: 'flow', to: 'payload', tot: 'msg', dc: true },
            { t: 'delete', p: 'payload', pt: 'msg' },
          ],
        },
        { type: 'change', rules: [{ t: 'set', p: 'payload', pt: 'msg', to: 'last', tot: 'flow', dc: true }] },
      ],
    ],
    [
      'trigger: the message at once',
      [{ type: 'trigger', op1type: 'pay', op2type: 'nul', duration: '1', units: 'ms', extend: false }],
    ],
    [
      'trigger: the latest payload later',
      [{ type: 'trigger', op1type: 'nul', op2type: 'payl', duration: '1', units: 'ms', extend: false }],
    ],
    ['filter: only when changed', [{ type: 'rbe', func: 'rbe', property: 'payload', septopics: true, topi: 'topic' }]],
    ['delay', [{ type: 'delay', pauseType: 'delay', timeout: '1', timeoutUnits: 'milliseconds', outputs: 1 }]],
    [
      'delay: rate limit',
      [{ type: 'delay', pauseType: 'rate', rate: '100', nbRateUnits: '1', rateUnits: 'second', drop: false, outputs: 1 }],
    ],
    ['function: the same message', [{ type: 'function', func: 'msg.seen = true; return msg;', outputs: 1, libs: [] }]],
    [
      'function: a clone of the message',
      [{ type: 'function', func: 'return RED.util.cloneMessage(msg);', outputs: 1, libs: [] }],
    ],
    [
      'function: context in memory',
      [
        {
          type: 'function',
          func: 'context.set("last", msg.payload); msg.payload = context.get("last"); return msg;',
          outputs: 1,
          libs: [],
        },
      ],
    ],
    [
      'split and join',
      [
        { type: 'function', func: 'msg.payload = [msg.payload, msg.payload]; return msg;', outputs: 1, libs: [] },
        { type: 'split', splt: '\\n', spltType: 'str', arraySplt: 1, arraySpltType: 'len' },
        { type: 'join', mode: 'auto', build: 'array' },
        { type: 'function', func: 'msg.payload = msg.payload[1]; return msg;', outputs: 1, libs: [] },
      ],
    ],
    [
      'link call',
      [
        { id: 'call', type: 'link call', links: ['in'], linkType: 'static', timeout: '60', wires: [['end']] },
        { id: 'in', type: 'link in', links: ['call'], wires: [['out']] },
        { id: 'out', type: 'link out', mode: 'return', links: [] },
      ],
    ],
  ])('%s', async (name, between) => {
    const beside = name.startsWith('a debug')
      ? [{ id: 'look', type: 'debug', active: true, tosidebar: true, console: true, complete: 'true', wires: [] }]
      : [];
    const [message] = await through([...between, ...beside], [frameMessage()]);
    expectWhole(message!.payload);
    expect(message!.edge).toMatchObject({ source: 'door', sequence: 1, timings: { capture: 2 } });
    expectWhole(message!.edge.frame);
  });

  it('debug, whose sidebar is sent a summary instead of the bytes', async () => {
    const shown: string[] = [];
    const listen = ({ topic, data }: { topic: string; data: { id: string; msg: string } }) => {
      if (topic === 'debug' && data.id === 'look') shown.push(data.msg);
    };
    events.on('comms', listen);
    try {
      const beside = { id: 'look', type: 'debug', active: true, tosidebar: true, complete: 'true', wires: [] };
      await through(
        [{ type: 'switch', property: 'topic', rules: [{ t: 'else' }], wires: [['end', 'look']] }, beside],
        [frameMessage()],
      );
      while (shown.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    } finally {
      events.off('comms', listen);
    }
    expect(shown[0]).toContain('"reference":true');
    expect(shown[0]!.length).toBeLessThan(1500);
  });

  it('an array of them that a join made of several messages', async () => {
    const join3 = {
      type: 'join',
      mode: 'custom',
      build: 'array',
      property: 'payload',
      propertyType: 'msg',
      count: '3',
      joiner: '',
    };
    const [message] = await through([join3], [1, 2, 3].map(frameMessage), 1);
    const frames = message!.payload as unknown as Frame[];
    expect(frames).toHaveLength(3);
    frames.forEach(expectWhole);
  });

  it('two wires, sharing their bytes and nothing else', async () => {
    const sent = frameMessage();
    const copies = await through(
      [{ type: 'switch', property: 'topic', rules: [{ t: 'else' }], wires: [['end', 'end', 'end']] }],
      [sent],
      3,
    );
    for (const { payload } of copies) expect(frameBytes(payload)).toBe(frameBytes(sent.payload));
    copies[0]!.payload.width = 99;
    copies[0]!.edge.timings.run = 1;
    expect(copies[1]!.payload.width).toBe(8);
    expect(copies[1]!.edge.timings).toEqual({ capture: 2 });
  });

  it('a filter, which lets another picture pass and the very same one not', async () => {
    const one = frameMessage(1);
    const other = frameMessage(2);
    const filter = { type: 'rbe', func: 'rbe', property: 'payload', septopics: true, topi: 'topic' };
    const passed = await through([filter], [one, { ...one, edge: { ...one.edge, sequence: 9 } }, other], 2);
    expect(passed.map(({ edge }) => edge.sequence)).toEqual([1, 2]);
  });
});

describe('a frame is gone, and says why,', () => {
  it.each<[string, FlowNode[], string]>([
    [
      'after a deep copy of its bare reference',
      [{ type: 'change', rules: [rule('payload.ref', 'payload.ref', { dc: true })] }],
      'deep copy of the bare reference',
    ],
    [
      'after a node that makes it JSON and back',
      [
        { type: 'json', property: 'payload', action: 'str' },
        { type: 'json', property: 'payload', action: 'obj' },
      ],
      'only its JSON',
    ],
    [
      'after a function that makes it JSON and back',
      [{ type: 'function', func: 'msg.payload = JSON.parse(JSON.stringify(msg.payload)); return msg;', outputs: 1, libs: [] }],
      'only its JSON',
    ],
    [
      'when a function leaves it out',
      [{ type: 'function', func: 'delete msg.payload.ref; return msg;', outputs: 1, libs: [] }],
      'reference is missing',
    ],
    [
      'when a function spreads it',
      [{ type: 'function', func: 'msg.payload.ref = {...msg.payload.ref}; return msg;', outputs: 1, libs: [] }],
      'not one of this palette',
    ],
  ])('%s', async (_name, between, reason) => {
    const [message] = await through(between, [frameMessage()]);
    expect(message!.payload).toMatchObject({ kind: 'frame', width: 8, height: 4 });
    expectGone(message!.payload, reason);
  });

  it('after a context on disk', async () => {
    const [message] = await through(
      [
        { type: 'change', rules: [{ t: 'set', p: '#:(disk)::last', pt: 'flow', to: 'payload', tot: 'msg' }] },
        { type: 'delay', pauseType: 'delay', timeout: '50', timeoutUnits: 'milliseconds', outputs: 1 },
        { type: 'change', rules: [{ t: 'set', p: 'payload', pt: 'msg', to: '#:(disk)::last', tot: 'flow' }] },
      ],
      [frameMessage()],
      1,
      true,
    );
    expectGone(message!.payload, 'went through a file context');
  });
});
