import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type WebSocket from 'ws';
import { find, type Need, ROOT } from './needs';

export const PALETTE = '@edgeloom/node-red-edge-ai';

/** A Node-RED this palette promises to work with, and the Node.js it runs on. */
export interface Version {
  name: '4.1' | '5.0';
  needs: Need[];
  folder: string;
  executable(): string;
}

export const NODE_RED_4: Version = {
  name: '4.1',
  needs: [],
  folder: join(ROOT, 'node_modules', 'node-red'),
  executable: () => process.execPath,
};
export const NODE_RED_5: Version = {
  name: '5.0',
  needs: ['node22'],
  folder: join(ROOT, 'node_modules', 'node-red-5'),
  executable: () => find('node22') ?? 'node',
};
export const VERSIONS = [NODE_RED_4, NODE_RED_5];

export interface Options {
  version?: Version;
  /** The user directory; without one a temporary directory with this repository linked as the palette, removed at the end. */
  userDir?: string;
  /** Further settings.js entries (plain JSON). */
  settings?: Record<string, unknown>;
  env?: Record<string, string>;
  /** Node-RED's own console log beside the one that is read here; its lines are in `printed`. */
  console?: boolean;
  /** Turns adminAuth on, with the one user `admin` who has this password. */
  password?: string;
}

export interface LogEntry {
  level: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'audit' | 'metric';
  message: string;
  /** Of an error that has one. */
  code?: string;
  type?: string;
  id?: string;
}

export interface FlowNode {
  id: string;
  type: string;
  [property: string]: unknown;
}

/** Node-RED gives its nodes 15 s to close; the rest is for a busy machine. */
const STOP_MS = 45_000;
/** A Node-RED log line goes to standard output behind this mark, as JSON. */
const MARK = '\u001eLOG ';
const LEVELS: Record<number, LogEntry['level']> = {
  10: 'fatal',
  20: 'error',
  30: 'warn',
  40: 'info',
  50: 'debug',
  60: 'trace',
  98: 'audit',
  99: 'metric',
};

/** A real Node-RED in a process of its own; `stop()` in the end, and it is killed whatever happens. */
export class NodeRed {
  /** Where the editor is, with a slash at the end. */
  url = '';
  readonly log: LogEntry[] = [];
  private readonly output: string[] = [];
  private readonly watchers = new Set<() => void>();
  private readonly sockets = new Set<WebSocket>();
  private token = '';

  private constructor(
    private readonly child: ChildProcess,
    private readonly version: Version,
    private readonly temporary: string | undefined,
  ) {
    const killed = () => this.kill('SIGKILL');
    process.once('exit', killed);
    child.once('exit', () => process.removeListener('exit', killed));
    createInterface({ input: child.stdout! }).on('line', (line) => this.read(line));
    createInterface({ input: child.stderr! }).on('line', (line) => this.read(line));
  }

  static async start(options: Options = {}): Promise<NodeRed> {
    const version = options.version ?? NODE_RED_4;
    const temporary = options.userDir ? undefined : linkedUserDir();
    const userDir = options.userDir ?? temporary!;
    writeFileSync(join(userDir, 'settings.js'), settingsFile(version, options));
    const child = spawn(version.executable(), [join(version.folder, 'red.js'), '-u', userDir], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NODE_OPTIONS: '', LANG: 'en_US.UTF-8', ...options.env },
      detached: true,
    });
    const started = new NodeRed(child, version, temporary);
    try {
      await started.waitForLog(/^Started flows/, 0, 90_000);
      const { message } = await started.waitForLog(/^(Server now running at|Running in headless mode)/);
      // The system chose the port: one that was free a moment ago may be taken by whatever runs beside this. Without its editor
      // Node-RED does not say it, and the test must have chosen one.
      const said = /http:\S+?:\d+\/\S*/.exec(message)?.[0] ?? `http://127.0.0.1:${options.settings?.uiPort}`;
      started.url = `${said.replace(/\/$/, '')}/`;
      if (options.password) started.token = await started.logIn(options.password);
    } catch (error) {
      await started.stop();
      throw error;
    }
    return started;
  }

  /** Of its process. */
  get pid(): number {
    return this.child.pid!;
  }

  /** Everything that was written to standard output and standard error beside the log. */
  get printed(): string {
    return this.output.join('\n');
  }

  /** Log entries of these levels from `since` (an index of `log`) on. */
  entries(levels: LogEntry['level'][], since = 0): LogEntry[] {
    return this.log.slice(since).filter(({ level }) => levels.includes(level));
  }

  async request(
    method: string,
    path: string,
    options: { body?: unknown; headers?: Record<string, string>; token?: string } = {},
  ) {
    const token = options.token ?? this.token;
    return fetch(new URL(path, this.url), {
      method,
      redirect: 'manual',
      headers: {
        ...(token ? { Authorization: `Bearer ${token}` } : {}),
        ...(options.body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...options.headers,
      },
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
    });
  }

  /** @returns the JSON answer; anything but a success is an error that shows the log. */
  async get<T>(path: string, accept = 'application/json'): Promise<T> {
    const response = await this.request('GET', path, { headers: { Accept: accept } });
    if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}\n${this.tail()}`);
    return (await response.json()) as T;
  }

  /** Full deploy; resolves when the flows have started. */
  async deploy(flows: readonly FlowNode[]): Promise<void> {
    const since = this.log.length;
    const response = await this.request('POST', 'flows', { body: flows, headers: { 'Node-RED-Deployment-Type': 'full' } });
    if (!response.ok) throw new Error(`deploy: ${response.status} ${await response.text()}\n${this.tail()}`);
    const { message } = await this.waitForLog(/^Started flows|^Flows stopped|^Waiting for missing types/, since, 60_000);
    if (!message.startsWith('Started')) throw new Error(`deploy: the flows did not start\n${this.tail()}`);
  }

  async waitForLog(pattern: RegExp, since = 0, timeout = 60_000): Promise<LogEntry> {
    await this.waitFor(() => this.log.slice(since).some(({ message }) => pattern.test(message)), `the log ${pattern}`, timeout);
    return this.log.slice(since).find(({ message }) => pattern.test(message))!;
  }

  /** The editor's web socket: what the debug sidebar and the workspace see. */
  async listen(...topics: string[]): Promise<Comms> {
    const Socket: typeof WebSocket = createRequire(join(this.version.folder, 'red.js'))('ws');
    const socket = new Socket(`${this.url.replace(/^http/, 'ws')}comms`);
    this.sockets.add(socket);
    await new Promise<void>((resolve, reject) => socket.once('open', resolve).once('error', reject));
    const comms = new Comms(socket);
    if (this.token) {
      socket.send(JSON.stringify({ auth: this.token }));
      await comms.waitFor(({ auth }) => auth === 'ok');
    }
    for (const topic of topics) socket.send(JSON.stringify({ subscribe: topic }));
    return comms;
  }

  /** Asks it to stop as a service manager would, kills it when it does not. @returns whether it stopped by itself. */
  async stop(): Promise<boolean> {
    for (const socket of this.sockets) socket.terminate();
    let asked = true;
    if (this.running()) {
      const ended = new Promise((resolve) => this.child.once('close', resolve));
      this.child.kill('SIGTERM');
      const timer = setTimeout(() => {
        asked = false;
        this.kill('SIGKILL');
      }, STOP_MS);
      await ended;
      clearTimeout(timer);
    }
    this.kill('SIGKILL');
    if (this.temporary) rmSync(this.temporary, { recursive: true, force: true });
    return asked;
  }

  running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  private async waitFor(done: () => boolean, what: string, timeout: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const settle = (settled: () => void) => {
        clearTimeout(timer);
        this.watchers.delete(look);
        this.child.off('close', look);
        settled();
      };
      const look = () => {
        if (done()) settle(resolve);
        else if (!this.running()) settle(() => reject(new Error(`Node-RED ended while waiting for ${what}\n${this.tail()}`)));
      };
      const timer = setTimeout(() => settle(() => reject(new Error(`no ${what} in ${timeout} ms\n${this.tail()}`))), timeout);
      this.watchers.add(look);
      this.child.once('close', look);
      look();
    });
  }

  private read(line: string): void {
    const at = line.indexOf(MARK);
    if (at < 0) this.output.push(line);
    else this.log.push(JSON.parse(line.slice(at + MARK.length)) as LogEntry);
    for (const watcher of [...this.watchers]) watcher();
  }

  private tail(): string {
    return [...this.log.slice(-40).map(({ level, message }) => `[${level}] ${message}`), ...this.output.slice(-40)].join('\n');
  }

  /** The whole process group: nothing that Node-RED started outlives it. */
  private kill(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.child.pid!, signal);
    } catch {
      // nothing of it is left
    }
  }

  private async logIn(password: string): Promise<string> {
    const response = await this.request('POST', 'auth/token', {
      body: { client_id: 'node-red-admin', grant_type: 'password', scope: '*', username: 'admin', password },
    });
    if (!response.ok) throw new Error(`log in: ${response.status}\n${this.tail()}`);
    return ((await response.json()) as { access_token: string }).access_token;
  }
}

export interface CommsMessage {
  topic?: string;
  data?: unknown;
  auth?: string;
}

export class Comms {
  readonly messages: CommsMessage[] = [];

  constructor(private readonly socket: WebSocket) {
    socket.on('message', (bytes) => {
      const parsed = JSON.parse(String(bytes)) as CommsMessage | CommsMessage[];
      this.messages.push(...(Array.isArray(parsed) ? parsed : [parsed]));
    });
  }

  close(): void {
    this.socket.terminate();
  }

  async waitFor(wanted: (message: CommsMessage) => boolean, timeout = 60_000): Promise<CommsMessage> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = this.messages.find(wanted);
        if (!found) return;
        clearTimeout(timer);
        this.socket.off('message', look);
        resolve(found);
      };
      const timer = setTimeout(() => {
        this.socket.off('message', look);
        reject(new Error(`not seen in ${timeout} ms; seen: ${JSON.stringify(this.messages).slice(0, 2000)}`));
      }, timeout);
      this.socket.on('message', look);
      look();
    });
  }
}

/** A temporary user directory in which this repository is the installed palette. */
export function linkedUserDir(): string {
  const userDir = mkdtempSync(join(tmpdir(), 'edgeloom-user-'));
  const link = join(userDir, 'node_modules', PALETTE);
  mkdirSync(dirname(link), { recursive: true });
  symlinkSync(ROOT, link);
  writeFileSync(join(userDir, 'package.json'), JSON.stringify({ name: 'user', dependencies: { [PALETTE]: '*' } }));
  return userDir;
}

function settingsFile(version: Version, { settings = {}, password, console }: Options): string {
  const { hashSync } = createRequire(join(version.folder, 'red.js'))('bcryptjs') as {
    hashSync(text: string, rounds: number): string;
  };
  const user = password && { username: 'admin', password: hashSync(password, 4), permissions: '*' };
  const plain = {
    uiHost: '127.0.0.1',
    uiPort: 0,
    flowFile: 'flows.json',
    credentialSecret: false,
    nodesDir: join(ROOT, 'test', 'support', 'probe'),
    telemetry: { enabled: false },
    externalModules: { autoInstall: false },
    editorTheme: { tours: false, projects: { enabled: false } },
    ...(user ? { adminAuth: { type: 'credentials', users: [user] } } : {}),
    ...settings,
  };
  return `const LEVELS = ${JSON.stringify(LEVELS)};
const text = (value) => (value instanceof Error ? value.message : typeof value === 'string' ? value : JSON.stringify(value) ?? '');
module.exports = {
  ...${JSON.stringify(plain, null, 2)},
  logging: {
    ${console ? "console: { level: 'info', metrics: false, audit: false }," : ''}
    test: {
      level: 'debug',
      metrics: false,
      audit: false,
      handler: () => ({ level, msg, type, id }) =>
        process.stdout.write('\\n' + ${JSON.stringify(MARK)} + JSON.stringify({ level: LEVELS[level], message: text(msg), code: msg?.code, type, id }) + '\\n'),
    },
  },
};
`;
}
