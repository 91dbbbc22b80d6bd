import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { EdgeError } from '../../errors';
import type { TensorInfo, TensorValue } from '../../message/tensor';
import type { Limits } from '../limits';
import { bytesOf, ChildMessages, LIFELINE, PIPE, SLICE_BYTES, send } from '../pipe';
import type { OpenSpec } from '../session';
import { type FromWorker, fromPlainError, type Measuring } from '../wire';
import { within } from '../within';
import { crashed, tookMemory } from './death';
import type { EngineLife, Ready, Settled } from './life';

const SCRIPT = join(__dirname, '..', 'child.js');

/** Milliseconds that a process gets to end by itself, and then to be gone; a close handler of Node-RED has 15 s in all. */
const STOP_MS = 10_000;
const KILL_MS = 2_000;

/** Characters of what an engine last said on its standard error that are kept. */
const LAST_WORDS = 300;

/** One life of a process with one opened model. It ends with Node-RED, whatever either of them is doing. */
export class InferenceProcess implements EngineLife {
  readonly opened: Promise<void>;
  readonly ready: Promise<Ready>;
  readonly exited: Promise<EdgeError | undefined>;
  onSettled: (message: Settled) => void = () => {};
  private readonly child: ChildProcess;
  private readonly pipe: Socket;
  private readonly handles: { ref(): unknown; unref(): unknown }[];
  private sending: Promise<void> | undefined;
  private stopping = false;
  private abandoned: EdgeError | undefined;
  private giveUp: (error: EdgeError) => void = () => {};

  /** @throws EDGE_WORKER_EXITED where the system starts no process. */
  constructor({ path, backend, options }: OpenSpec, measuring: Measuring, { memoryBytes }: Limits) {
    this.child = start();
    const stderr = this.child.stderr as Socket;
    this.pipe = this.child.stdio[PIPE] as Socket;
    const lifeline = this.child.stdio[LIFELINE] as Socket;
    this.handles = [this.child, stderr, this.pipe, lifeline];
    const words = tail(stderr);
    const report = tail(lifeline);
    this.exited = new Promise((resolve) => {
      this.giveUp = resolve;
      // All that it wrote has been read by then.
      this.child.on('close', (code, signal) => {
        const held = heldIn(report());
        if (this.abandoned || this.stopping) resolve(this.abandoned);
        else if (held !== undefined) resolve(tookMemory(held, memoryBytes));
        else resolve(crashed(code, signal, words()));
      });
    });
    let open = () => {};
    this.opened = new Promise((resolve) => {
      open = resolve;
    });
    this.ready = new Promise((resolve, reject) => {
      this.listen((message) => {
        if (message.kind === 'opened') open();
        else if (message.kind === 'ready') resolve(message);
        else if (message.kind === 'refused') reject(fromPlainError(message.error));
        else this.onSettled(message);
      });
      void this.exited.then((error) => reject(error ?? new EdgeError('EDGE_SESSION_CLOSED')));
    });
    // Whoever waits for it sees the error; nobody has to.
    this.ready.catch(() => {});
    void send(this.pipe, { kind: 'open', backend, path, options, measuring, memoryBytes });
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  send(_inputs: readonly TensorInfo[], values: readonly TensorValue[]): Promise<void> | undefined {
    const shapes = values.map(({ shape }) => shape);
    const parts = values.map(({ data }) => bytesOf(data));
    const sending = send(this.pipe, { kind: 'run', shapes }, parts);
    if (parts.every(({ byteLength }) => byteLength <= SLICE_BYTES)) return undefined;
    this.sending = sending.finally(() => {
      this.sending = undefined;
    });
    return this.sending;
  }

  keepAlive(busy: boolean): void {
    for (const handle of this.handles) {
      if (busy) handle.ref();
      else handle.unref();
    }
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.keepAlive(true);
    const stopped = (async () => {
      await this.sending;
      await send(this.pipe, { kind: 'stop' });
      await this.exited;
    })();
    await within(STOP_MS, stopped);
    // Killed or not, it is gone in the end; what is gone already takes no harm.
    this.child.kill('SIGKILL');
    await within(KILL_MS, this.exited);
  }

  abandon(error: EdgeError): void {
    this.abandoned ??= error;
    this.child.kill('SIGKILL');
    // The system does not end one that waits for a disk that does not answer; nobody waits for it here, either.
    setTimeout(() => this.giveUp(error), KILL_MS).unref();
  }

  private listen(onMessage: (message: FromWorker) => void): void {
    const messages = new ChildMessages(onMessage);
    this.pipe.on('data', (chunk: Buffer) => {
      if (this.abandoned) return;
      try {
        messages.push(chunk);
      } catch (cause) {
        this.abandon(new EdgeError('EDGE_RUNTIME_FAILED', 'its process talks nonsense', { cause, retryAfter: 1000 }));
      }
    });
  }
}

function start(): ChildProcess {
  // Nothing of what Node-RED's own process is told (a debugger's port, modules to load first) is meant for this one.
  const { NODE_OPTIONS: _, ...env } = process.env;
  const failed = (cause: unknown) =>
    new EdgeError('EDGE_WORKER_EXITED', `no process can be started with ${process.execPath}`, { cause, retryAfter: 1000 });
  let child: ChildProcess;
  try {
    child = spawn(process.execPath, [SCRIPT], { stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'], env, windowsHide: true });
  } catch (cause) {
    throw failed(cause);
  }
  // One that was not started says so in a moment, one that was cannot be killed any more: `exited` tells.
  child.on('error', () => {});
  if (child.pid === undefined) throw failed(undefined);
  for (const stream of child.stdio) stream?.on('error', () => {});
  return child;
}

/** Reads a stream to its end and keeps the last of it. */
function tail(stream: Readable): () => string {
  let last = '';
  stream.on('data', (chunk: Buffer) => {
    last = (last + chunk.toString()).slice(-LAST_WORDS);
  });
  return () => last.trim().split('\n').at(-1)!.trim();
}

/** Bytes that the process held when its watch ended it, by its own report. */
function heldIn(report: string): number | undefined {
  try {
    const { held } = JSON.parse(report) as { held?: unknown };
    return typeof held === 'number' ? held : undefined;
  } catch {
    return undefined;
  }
}
