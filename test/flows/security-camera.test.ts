import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from '../support/broker';
import { describeWith, ROOT } from '../support/needs';
import { type FlowNode, NODE_RED_4, NODE_RED_5, NodeRed, type Version } from '../support/node-red';

const flow: FlowNode[] = JSON.parse(readFileSync(join(ROOT, 'flows', 'security-camera', 'flow.json'), 'utf8'));
const START = join(ROOT, 'scripts', 'start.mjs');

describe('the security camera template', () => {
  it('needs no Function node and no node of another palette', () => {
    const core = ['tab', 'comment', 'catch', 'debug'];
    const foreign = flow.filter(({ type }) => !core.includes(type) && !type.startsWith('edge-'));
    expect(foreign).toEqual([]);
  });

  it('begins with a comment that teaches, and keeps its nodes on the workspace', () => {
    const placed = flow.filter(({ z }) => z !== undefined);
    expect(placed[0]).toMatchObject({ type: 'comment', info: expect.stringMatching(/\w/) });
    for (const node of placed) {
      expect([node.type, node.x, node.y]).toEqual([node.type, expect.any(Number), expect.any(Number)]);
    }
  });

  describe.each<Version>([NODE_RED_4, NODE_RED_5])('in Node-RED $name', (version) => {
    describeWith(['detector', 'sample', ...version.needs], 'without internet and broker', () => {
      let nodeRed: NodeRed;
      beforeAll(async () => {
        nodeRed = await NodeRed.start({ version });
      }, 240_000);
      afterAll(() => nodeRed?.stop(), 90_000);

      it('finds the person, and publish says with a code that no broker is there', async () => {
        const closed = await freePort();
        const comms = await nodeRed.listen('status/#', 'debug');
        await nodeRed.deploy(
          flow.map((node) => (node.type === 'edge-broker' ? { ...node, address: `mqtt://127.0.0.1:${closed}` } : node)),
        );
        const idOf = (type: string) => flow.find((node) => node.type === type)!.id;
        const statusOf = (type: string, text: RegExp) =>
          comms.waitFor(
            ({ topic, data }) => topic === `status/${idOf(type)}` && text.test((data as { text?: string }).text ?? ''),
            60_000,
          );
        await statusOf('edge-infer', /^\d+(\.\d)? ms · \d+\.\d\/s/);
        await statusOf('edge-publish', /^EDGE_BROKER_/);
        // The sidebar shows warnings of the log too: what counts is what came through the Catch node.
        const isCaught = (data: unknown) =>
          (data as { name?: string }).name === 'errors' && /EDGE_BROKER_/.test(JSON.stringify(data));
        await comms.waitFor(({ topic, data }) => topic === 'debug' && isCaught(data));
        expect(nodeRed.running()).toBe(true);
      }, 240_000);
    });
  });
});

describeWith(['detector', 'sample'], 'npm start', () => {
  let demo: string;
  let taken: Server;
  let takenPort: number;
  beforeAll(async () => {
    demo = mkdtempSync(join(tmpdir(), 'edgeloom-demo-'));
    taken = createServer();
    takenPort = await new Promise<number>((resolve) => {
      taken.listen(0, '127.0.0.1', () => resolve((taken.address() as { port: number }).port));
    });
  });
  afterAll(() => {
    taken.close();
    rmSync(demo, { recursive: true, force: true });
  });

  const start = (env: Record<string, string> = {}) => new Started(demo, { PORT: '0', ...env });

  it('prints READY with the first detection on MQTT, serves the editor, and ends cleanly', async () => {
    const started = start();
    await started.until(/Ctrl-C/);
    expect(started.said).toMatch(/^READY$/m);
    expect(started.said).toMatch(/MQTT +mqtt:\/\/127\.0\.0\.1:\d+ +topic edgeloom\/camera\/detections/);
    expect(started.said).toMatch(/first +person 0\.\d\d at /);
    const editor = /editor +(http:\S+)/.exec(started.said)![1]!;
    expect(await (await fetch(editor)).text()).toContain('Node-RED');
    expect(await started.stop('SIGINT')).toBe(0);
    await expect(fetch(editor)).rejects.toThrow();
  }, 240_000);

  it('takes another port where its own is in use, keeps a changed flow, and ends on SIGTERM', async () => {
    writeFileSync(join(demo, 'flows.json'), '[{"id":"mine","type":"tab","label":"Mine"}]');
    const started = start({ PORT: String(takenPort) });
    await started.until(/Ctrl-C/);
    expect(started.said).not.toContain(`127.0.0.1:${takenPort}/`);
    const kept = /kept as (\S+\.json);/.exec(started.said)![1]!;
    expect(readFileSync(kept, 'utf8')).toContain('Mine');
    expect(await started.stop('SIGTERM')).toBe(0);
  }, 240_000);

  it('says what is wrong and ends with a failure', async () => {
    const started = start({ PORT: 'eighteen' });
    expect(await started.ended).toBe(1);
    expect(started.said).toMatch(/npm start failed: PORT: expected a port number, got "eighteen"/);
  }, 90_000);

  it('is what package.json starts', () => {
    expect(JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).scripts.start).toContain('scripts/start.mjs');
    expect(existsSync(START)).toBe(true);
  });
});

class Started {
  said = '';
  readonly ended: Promise<number | null>;
  private readonly child: ChildProcess;
  private readonly lines = new Set<() => void>();

  constructor(demo: string, env: Record<string, string>) {
    this.child = spawn(process.execPath, [START], {
      env: { ...process.env, NODE_OPTIONS: '', EDGELOOM_DEMO: demo, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.ended = new Promise((resolve) => this.child.once('close', resolve));
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      createInterface({ input: stream }).on('line', (line) => {
        this.said += `${line}\n`;
        for (const look of this.lines) look();
      });
    }
  }

  async until(pattern: RegExp): Promise<void> {
    const seen = new Promise<void>((resolve) => {
      const look = () => pattern.test(this.said) && resolve();
      this.lines.add(look);
      look();
    });
    const early = this.ended.then((code) => {
      throw new Error(`ended with ${code}\n${this.said}`);
    });
    await Promise.race([seen, early]);
  }

  stop(signal: NodeJS.Signals): Promise<number | null> {
    this.child.kill(signal);
    return this.ended;
  }
}
