import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { ArrivalFigures } from './arrivals';
import { measureTree } from './process-tree';

/** The project's root, seen from dist/bench/support. */
export const ROOT = dirname(dirname(dirname(__dirname)));

/** A real Node-RED in a process of its own with this palette and the driver nodes, for one flow. */
export class MeasuredNodeRed {
  private constructor(
    private readonly child: ChildProcess,
    private readonly url: string,
    private readonly userDir: string,
    private readonly output: string[],
  ) {}

  /**
   * @param linked packages to link into the user directory, by name.
   * @param driver the file beside this one that holds the nodes which drive and measure.
   */
  static async start(flow: unknown[], linked: Record<string, string> = {}, driver = 'driver'): Promise<MeasuredNodeRed> {
    const userDir = mkdtempSync(join(tmpdir(), 'edgeloom-bench-'));
    const packages = { '@edgeloom/node-red-edge-ai': ROOT, ...linked };
    for (const [name, folder] of Object.entries(packages)) {
      const link = join(userDir, 'node_modules', name);
      mkdirSync(dirname(link), { recursive: true });
      symlinkSync(folder, link);
    }
    mkdirSync(join(userDir, 'nodes'));
    writeFileSync(
      join(userDir, 'nodes', 'driver.js'),
      `module.exports = require(${JSON.stringify(join(__dirname, `${driver}.js`))});\n`,
    );
    writeFileSync(join(userDir, 'nodes', 'driver.html'), '<script type="text/javascript"></script>\n');
    writeFileSync(
      join(userDir, 'package.json'),
      JSON.stringify({ name: 'bench', dependencies: Object.fromEntries(Object.keys(packages).map((name) => [name, '*'])) }),
    );
    writeFileSync(join(userDir, 'flows.json'), JSON.stringify(flow));
    const port = await freePort();
    const settings = {
      uiHost: '127.0.0.1',
      uiPort: port,
      flowFile: 'flows.json',
      functionExternalModules: true,
      telemetry: { enabled: false },
      logging: { console: { level: 'info' } },
    };
    writeFileSync(join(userDir, 'settings.js'), `module.exports = ${JSON.stringify(settings)};\n`);
    const child = spawn(process.execPath, [join(ROOT, 'node_modules', 'node-red', 'red.js'), '-u', userDir], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output: string[] = [];
    const started = new MeasuredNodeRed(child, `http://127.0.0.1:${port}`, userDir, output);
    const flowsStarted = new Promise<void>((resolve, reject) => {
      const read = (chunk: Buffer) => {
        output.push(chunk.toString());
        if (/Started flows/.test(output.join(''))) resolve();
      };
      child.stdout!.on('data', read);
      child.stderr!.on('data', read);
      child.once('exit', (code) => reject(new Error(`Node-RED ended with ${code}:\n${output.join('')}`)));
      setTimeout(() => reject(new Error(`Node-RED did not start its flows:\n${output.join('')}`)), 120_000).unref();
    });
    await flowsStarted.catch(async (thrown) => {
      child.kill('SIGKILL');
      throw thrown;
    });
    return started;
  }

  /** CPU milliseconds and resident MiB of the whole process tree. */
  tree(): { cpuMs: number; rssMb: number } {
    return measureTree(this.child.pid!);
  }

  /** Whether its process still runs. */
  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Deploy these flows; resolves when Node-RED took them, not when it runs them. */
  async deploy(flow: unknown[], type: 'full' | 'flows' | 'nodes'): Promise<void> {
    await this.request('POST', 'flows', { body: JSON.stringify(flow), type });
  }

  /** What a driver's route answers. */
  async get<T>(path: string): Promise<T> {
    return (await (await this.request('GET', path)).json()) as T;
  }

  async begin(): Promise<void> {
    await this.request('POST', 'bench/start');
  }

  /** 99th percentile of the event loop's delay in milliseconds while nothing is sent. */
  async idleP99(seconds: number): Promise<number> {
    await this.request('POST', 'bench/watch');
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    const { eventLoopP99Ms } = await this.figures();
    await this.end();
    return eventLoopP99Ms;
  }

  async end(): Promise<void> {
    await this.request('POST', 'bench/stop');
  }

  async figures(): Promise<DriverFigures> {
    return (await (await this.request('GET', 'bench/figures')).json()) as DriverFigures;
  }

  /** Count what reaches `bench-arrivals` from now on. */
  async countArrivals(): Promise<void> {
    await this.request('POST', 'bench/arrivals');
  }

  async arrivals(): Promise<ArrivalFigures> {
    return (await (await this.request('GET', 'bench/arrivals')).json()) as ArrivalFigures;
  }

  /** Press the button of an inject node. */
  async inject(id: string): Promise<void> {
    await this.request('POST', `inject/${id}`);
  }

  /** What it wrote to its console. */
  log(): string {
    return this.output.join('');
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 20_000);
    await ended;
    clearTimeout(timer);
    rmSync(this.userDir, { recursive: true, force: true });
  }

  private async request(method: string, path: string, deploy?: { body: string; type: string }): Promise<Response> {
    const response = await fetch(`${this.url}/${path}`, {
      method,
      ...(deploy
        ? { body: deploy.body, headers: { 'Content-Type': 'application/json', 'Node-RED-Deployment-Type': deploy.type } }
        : {}),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status}\n${this.log()}`);
    return response;
  }
}

export interface DriverFigures {
  sent: number;
  arrived: number;
  lost: number;
  eventLoopP99Ms: number;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => (typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port'))));
    });
  });
}
