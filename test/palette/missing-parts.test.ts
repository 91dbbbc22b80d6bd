import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeWith, ROOT, runsWith } from '../support/needs';
import { type FlowNode, NodeRed, PALETTE, VERSIONS, type Version } from '../support/node-red';
import { NODE_TYPES } from '../support/palette';
import { Installation } from './installation';

interface NodeSet {
  name: string;
  module: string;
  err?: string;
}

const PLACE = { z: 'tab', x: 200, y: 100 };

/** The recording into every node that decodes pictures or runs a model. */
const FLOW: FlowNode[] = [
  { id: 'tab', type: 'tab', label: 'Flow' },
  { ...PLACE, id: 'replay', type: 'edge-replay', source: 'sample', loop: true, wires: [['infer', 'prepare', 'preview']] },
  { ...PLACE, id: 'infer', type: 'edge-infer', model: '', wires: [[]] },
  { ...PLACE, id: 'prepare', type: 'edge-prepare', wires: [[]] },
  { ...PLACE, id: 'preview', type: 'edge-preview', wires: [[]] },
];

describeWith(['registry', 'detector', 'sample'], 'the palette without its optional native parts', () => {
  const versions = VERSIONS.filter(({ needs }) => runsWith(needs));
  let installation: Installation;

  beforeAll(async () => {
    installation = await Installation.make({ omit: 'optional' });
  }, 600_000);
  afterAll(() => installation?.remove());

  it('loads, each node says what is missing, and the commands that the nodes name mend it', async () => {
    const modules = join(installation.userDir, 'node_modules');
    expect(() => readFileSync(join(modules, 'onnxruntime-node', 'package.json'))).toThrow('ENOENT');
    expect(() => readFileSync(join(modules, '@img', 'sharp-linux-x64', 'package.json'))).toThrow('ENOENT');

    const commands = new Set<string>();
    for (const version of versions) await saysWhatIsMissing(version, commands);

    for (const command of commands)
      execFileSync('sh', ['-c', command], { cwd: installation.userDir, env: installation.environment });
    for (const version of versions) await works(version);
  }, 600_000);

  /** Collects the commands that the nodes name. */
  async function saysWhatIsMissing(version: Version, commands: Set<string>): Promise<void> {
    const without = await NodeRed.start({ version, userDir: installation.userDir });
    try {
      const sets = (await without.get<NodeSet[]>('nodes')).filter(({ module }) => module === PALETTE);
      expect(sets.map(({ name }) => name).sort()).toEqual(NODE_TYPES);
      expect(sets.filter(({ err }) => err)).toEqual([]);
      await without.deploy(FLOW);
      const comms = await without.listen('status/#', 'edge-preview/#');
      for (const id of ['infer', 'prepare']) {
        await comms.waitFor(({ topic, data }) => topic === `status/${id}` && (data as { fill: string }).fill === 'red');
      }
      const errors = without.entries(['error']);
      expect([...new Set(errors.map(({ code }) => code))].sort()).toEqual(['EDGE_RUNTIME_MISSING', 'EDGE_SHARP_MISSING']);
      for (const { message } of errors) {
        const command = /"(npm install [^"]+)" in the Node-RED user directory/.exec(message)?.[1];
        expect([message, command]).toEqual([message, expect.any(String)]);
        if (command) commands.add(command);
      }
    } finally {
      expect(await without.stop()).toBe(true);
    }
  }

  async function works(version: Version): Promise<void> {
    const mended = await NodeRed.start({ version, userDir: installation.userDir });
    try {
      await mended.deploy(FLOW);
      const comms = await mended.listen('status/#');
      for (const id of ['infer', 'prepare']) {
        await comms.waitFor(({ topic, data }) => topic === `status/${id}` && (data as { fill: string }).fill === 'green', 90_000);
      }
      expect(mended.entries(['error'])).toEqual([]);
    } finally {
      expect(await mended.stop()).toBe(true);
    }
  }

  it('is described on the front page with the same commands', () => {
    const page = readFileSync(join(ROOT, 'README.md'), 'utf8');
    expect(page).toContain('npm install --ignore-scripts onnxruntime-node');
  });
});
