import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describeWith, ROOT, runsWith } from '../support/needs';
import { type Comms, type FlowNode, NodeRed, PALETTE, VERSIONS } from '../support/node-red';
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

  const modules = () => join(installation.userDir, 'node_modules');
  const command = (message: string) => /"(npm install [^"]+)" in the Node-RED user directory/.exec(message)?.[1];
  const execute = (line: string) =>
    execFileSync('sh', ['-c', line], { cwd: installation.userDir, env: installation.environment });
  /** In every Node-RED that can run here, one after the other. */
  const inNodeRed = async (work: (nodeRed: NodeRed) => Promise<void>) => {
    for (const version of versions) {
      const nodeRed = await NodeRed.start({ version, userDir: installation.userDir });
      try {
        await work(nodeRed);
      } finally {
        expect(await nodeRed.stop()).toBe(true);
      }
    }
  };
  const waitForColour = (comms: Comms, id: string, colour: string) =>
    comms.waitFor(({ topic, data }) => topic === `status/${id}` && (data as { fill: string }).fill === colour, 60_000);

  it('loads, and what decodes pictures says by a code and a command that the image library is missing', async () => {
    expect(() => readFileSync(join(modules(), 'onnxruntime-node', 'package.json'))).toThrow('ENOENT');
    expect(() => readFileSync(join(modules(), '@img', 'sharp-linux-x64', 'package.json'))).toThrow('ENOENT');
    const commands = new Set<string>();
    await inNodeRed(async (nodeRed) => {
      const sets = (await nodeRed.get<NodeSet[]>('nodes')).filter(({ module }) => module === PALETTE);
      expect(sets.map(({ name }) => name).sort()).toEqual(NODE_TYPES);
      expect(sets.filter(({ err }) => err)).toEqual([]);
      await nodeRed.deploy(FLOW);
      const comms = await nodeRed.listen('status/#', 'edge-preview/#');
      for (const id of ['infer', 'prepare']) await waitForColour(comms, id, 'red');
      const errors = nodeRed.entries(['error']);
      expect([...new Set(errors.map(({ code }) => code))]).toEqual(['EDGE_SHARP_MISSING']);
      for (const { message } of errors) {
        expect([message, command(message)]).toEqual([message, expect.any(String)]);
        commands.add(command(message)!);
      }
    });
    for (const line of commands) execute(line);
  }, 600_000);

  it('finds the person of the template in WebAssembly, with one warning that names the command for native speed', async () => {
    // npm may have brought it along with the image library.
    rmSync(join(modules(), 'onnxruntime-node'), { recursive: true, force: true });
    await inNodeRed(async (nodeRed) => {
      const template: FlowNode[] = JSON.parse(readFileSync(join(ROOT, 'flows', 'security-camera', 'flow.json'), 'utf8'));
      const infer = template.find(({ type }) => type === 'edge-infer')!;
      const watched: FlowNode[] = template.map((node) =>
        node === infer ? { ...node, wires: [[...(node.wires as string[][])[0]!, 'found']] } : node,
      );
      const debug = { type: 'debug', active: true, tosidebar: true, complete: 'payload', targetType: 'msg', wires: [] };
      const comms = await nodeRed.listen('debug');
      await nodeRed.deploy([...watched, { ...debug, id: 'found', z: infer.z, x: 600, y: 400 }]);
      await comms.waitFor(
        ({ topic, data }) =>
          topic === 'debug' &&
          (data as { id: string }).id === 'found' &&
          JSON.parse((data as { msg: string }).msg).detections.some(({ label }: { label: string }) => label === 'person'),
        90_000,
      );
      const warnings = nodeRed.entries(['warn']).filter(({ id }) => id === infer.id);
      expect(warnings.map(({ message }) => message)).toEqual([
        expect.stringMatching(/^note: Runs in WebAssembly.*onnxruntime-node is not installed\. Run "npm install/),
      ]);
      expect(command(warnings[0]!.message)).toBe('npm install --ignore-scripts onnxruntime-node');
      expect(nodeRed.entries(['error']).filter(({ id }) => id === infer.id)).toEqual([]);
    });
  }, 600_000);

  it('names the commands for both engines where neither is there, and the native one needs nothing else', async () => {
    rmSync(join(modules(), PALETTE, 'dist', 'core', 'inference', 'backends', 'onnxruntime-web', 'ort-wasm-simd-threaded.wasm'));
    await inNodeRed(async (nodeRed) => {
      const comms = await nodeRed.listen('status/#');
      await nodeRed.deploy(FLOW);
      await waitForColour(comms, 'infer', 'red');
      const { code, message } = nodeRed.entries(['error'])[0]!;
      expect(code).toBe('EDGE_RUNTIME_MISSING');
      expect(message).toContain('Run "npm install --ignore-scripts onnxruntime-node" in the Node-RED user directory');
      expect(message).toContain(`Run "npm install ${PALETTE}" in the Node-RED user directory`);
    });
    execute('npm install --ignore-scripts onnxruntime-node');
    await inNodeRed(async (nodeRed) => {
      const comms = await nodeRed.listen('status/#');
      await nodeRed.deploy(FLOW);
      for (const id of ['infer', 'prepare']) await waitForColour(comms, id, 'green');
      expect(nodeRed.entries(['error', 'warn']).filter(({ id }) => id === 'infer')).toEqual([]);
    });
  }, 600_000);

  it('is described on the front page with the same commands', () => {
    const page = readFileSync(join(ROOT, 'README.md'), 'utf8');
    expect(page).toContain('npm install --ignore-scripts onnxruntime-node');
  });
});
