import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { convolutionalModel } from '../../bench/support/graph';
import { describeWith } from '../support/needs';
import { type FlowNode, linkedUserDir, NODE_RED_4, NODE_RED_5, NodeRed } from '../support/node-red';

interface Debug {
  id: string;
  /** The message as JSON. */
  msg: string;
}

const TAB = { id: 'tab', type: 'tab', label: 'Flow' };
const PLACE = { z: 'tab', x: 200, y: 100 };

/** How a property names an environment variable. */
function variable(name: string): string {
  return `\${${name}}`;
}

/** What a model without a manifest leaves open. */
const SAID = { labels: 'a, b, c, d, e, f, g, h', colours: 'rgb', fit: 'stretch', mean: '0', scale: '1' };

/** A debug node for what a node sends, and one for what a Catch node sees. */
function watched(id: string): FlowNode {
  return { ...PLACE, id, type: 'debug', active: true, tosidebar: true, complete: 'true', targetType: 'full', wires: [] };
}

describe.each([NODE_RED_4, NODE_RED_5])('a user directory that cannot be written by Node-RED $name', (version) => {
  describeWith([...version.needs, 'sample', 'detector'], 'that runs on it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'edgeloom-model-'));
    const userDir = linkedUserDir();
    const model = join(folder, 'small.onnx');

    beforeAll(() => {
      writeFileSync(model, convolutionalModel(32, 8, 2));
      // A file where the store's folder would be: not even root can write into it.
      writeFileSync(join(userDir, 'edgeloom'), '');
    });
    afterAll(() => {
      rmSync(folder, { recursive: true });
      rmSync(userDir, { recursive: true });
    });

    it('leaves Node-RED up; what needs the store says so by a code that a Catch node sees, the packaged detector works', async () => {
      const nodeRed = await NodeRed.start({ version, userDir, settings: { readOnly: true } });
      try {
        const comms = await nodeRed.listen('debug', 'status/#');
        await nodeRed.deploy([
          TAB,
          { id: 'own', type: 'edge-model', source: model, task: 'classification', ...SAID },
          { ...PLACE, id: 'replay', type: 'edge-replay', source: 'sample', loop: true, wires: [['needy', 'packaged']] },
          { ...PLACE, id: 'needy', type: 'edge-infer', model: 'own', wires: [[]] },
          { ...PLACE, id: 'packaged', type: 'edge-infer', model: '', wires: [['found']] },
          { ...PLACE, id: 'catch', type: 'catch', scope: ['needy'], wires: [['caught']] },
          watched('caught'),
          watched('found'),
        ]);
        const caught = await comms.waitFor(({ topic, data }) => topic === 'debug' && (data as Debug).id === 'caught');
        expect(JSON.stringify(caught.data)).toContain('EDGE_STORE_WRITE');
        await comms.waitFor(
          ({ topic, data }) => topic === 'status/needy' && (data as { text: string }).text === 'EDGE_STORE_WRITE',
        );
        await comms.waitFor(({ topic, data }) => topic === 'debug' && (data as Debug).id === 'found', 90_000);
        expect(nodeRed.running()).toBe(true);
      } finally {
        expect(await nodeRed.stop()).toBe(true);
      }
    }, 240_000);
  });
});

describe.each([NODE_RED_4, NODE_RED_5])('a subflow with environment variables in Node-RED $name', (version) => {
  describeWith([...version.needs, 'sample', 'detector'], 'takes them', () => {
    it('as text and as numbers, each instance its own, a wrong one with a code', async () => {
      const nodeRed = await NodeRed.start({ version });
      const inside = { z: 'sub', x: 200, y: 100 };
      const instance = (id: string, score: string): FlowNode => ({
        ...PLACE,
        id,
        type: 'subflow:sub',
        env: [{ name: 'SCORE', value: score, type: 'str' }],
        wires: [[`${id}-found`]],
      });
      try {
        const comms = await nodeRed.listen('debug');
        await nodeRed.deploy([
          TAB,
          {
            id: 'sub',
            type: 'subflow',
            name: 'Finder',
            env: [
              { name: 'SCORE', type: 'str', value: '0.5' },
              { name: 'LABELS', type: 'str', value: 'person' },
              { name: 'KIND', type: 'str', value: 'sample' },
            ],
            in: [],
            out: [{ x: 500, y: 100, wires: [{ id: 'infer', port: 0 }] }],
          },
          { ...inside, id: 'replay', type: 'edge-replay', source: variable('KIND'), wires: [['infer']] },
          {
            ...inside,
            id: 'infer',
            type: 'edge-infer',
            model: '',
            labels: variable('LABELS'),
            scoreThreshold: variable('SCORE'),
            wires: [[]],
          },
          { ...inside, id: 'catch', type: 'catch', scope: null, wires: [['inner']] },
          { ...watched('inner'), z: 'sub' },
          instance('low', '0.3'),
          instance('high', '0.999'),
          instance('wrong', 'often'),
          watched('low-found'),
          watched('high-found'),
          watched('wrong-found'),
        ]);
        const shown = async (id: string) => {
          const { data } = await comms.waitFor(({ topic, data }) => topic === 'debug' && (data as Debug).id === id, 90_000);
          return JSON.parse((data as Debug).msg) as { payload: { detections: { label: string }[] } };
        };
        expect((await shown('low-found')).payload.detections.map(({ label }) => label)).toContain('person');
        expect((await shown('high-found')).payload.detections).toEqual([]);
        expect(nodeRed.entries(['error']).filter(({ code }) => code !== 'EDGE_SETTING')).toEqual([]);
        expect(nodeRed.entries(['error']).some(({ code }) => code === 'EDGE_SETTING')).toBe(true);
      } finally {
        expect(await nodeRed.stop()).toBe(true);
      }
    }, 240_000);
  });
});
