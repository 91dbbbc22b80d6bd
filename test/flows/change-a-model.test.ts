import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { twoVersions } from '../../bench/support/two-versions';
import { describeWith, ROOT } from '../support/needs';
import { type Comms, type FlowNode, NodeRed, VERSIONS } from '../support/node-red';

describe.each(VERSIONS)('a model that is changed by a deploy in Node-RED $name', (version) => {
  describeWith(['detector', 'sample', ...version.needs], 'while the packaged recording plays', () => {
    let folder: string;
    let models: [string, string];
    let nodeRed: NodeRed;
    let comms: Comms;
    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'edgeloom-change-'));
      models = twoVersions(folder, ROOT);
      nodeRed = await NodeRed.start({ version });
      comms = await nodeRed.listen('status/#', 'debug');
      await nodeRed.deploy(flow(models[0]));
    }, 150_000);
    afterAll(async () => {
      await nodeRed?.stop();
      rmSync(folder, { recursive: true, force: true });
    }, 30_000);

    const flow = (source: string): FlowNode[] => [
      { id: 'tab', type: 'tab', label: 'change' },
      { ...at('replay', 1), type: 'edge-replay', wires: [['infer']] },
      { id: 'model', type: 'edge-model', source },
      { ...at('infer', 2), type: 'edge-infer', model: 'model', policy: 'latest', wires: [['model-name']] },
      {
        ...at('model-name', 3),
        type: 'debug',
        complete: 'payload.model',
        targetType: 'msg',
        tosidebar: true,
        active: true,
        wires: [],
      },
      { ...at('catch', 2), type: 'catch', wires: [['error']] },
      { ...at('error', 3), type: 'debug', complete: 'error', targetType: 'msg', tosidebar: true, active: true, wires: [] },
    ];
    const at = (id: string, column: number) => ({ id, z: 'tab', x: column * 160, y: 80 });
    const deployNodes = (flows: FlowNode[]) =>
      nodeRed.request('POST', 'flows', { body: flows, headers: { 'Node-RED-Deployment-Type': 'nodes' } });
    const shown =
      (text: RegExp) =>
      ({ topic, data }: { topic?: string; data?: unknown }) =>
        topic === 'debug' && text.test(JSON.stringify(data));

    it('goes over to the other version, and stays with it where the next one cannot be found', async () => {
      await comms.waitFor(shown(/detector@1/), 90_000);
      expect((await deployNodes(flow(models[1]))).status).toBe(204);
      await comms.waitFor(shown(/detector@2/), 90_000);

      const before = comms.messages.length;
      expect((await deployNodes(flow(join(folder, 'none')))).status).toBe(204);
      await comms.waitFor(shown(/EDGE_MODEL_NOT_FOUND/), 90_000);
      await comms.waitFor(
        ({ topic, data }) => topic === 'status/infer' && /EDGE_MODEL_NOT_FOUND/.test((data as { text?: string }).text ?? ''),
        90_000,
      );
      const later = comms.messages.slice(before).filter(shown(/detector@/));
      expect(later.filter(shown(/detector@2/))).toEqual(later);
      expect(nodeRed.running()).toBe(true);
    }, 300_000);
  });
});
