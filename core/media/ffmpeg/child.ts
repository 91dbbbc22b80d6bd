import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { delimiter, join } from 'node:path';
import type { Readable } from 'node:stream';
import { openDirectPipe, pour, type Sink } from './direct-pipe';

/** Most characters that are kept of what FFmpeg says: the beginning (what its input is) and the end (why it failed). */
const BEGINNING = 8192;
const END = 8192;

export interface ChildOptions {
  /** Written to its standard input, which is closed then: what must not stand on the command line. */
  input?: string | undefined;
  /** Takes its standard output, all the time and without copies where the system allows it; else `output` is to be read. */
  sink?: Sink;
  /** A second pipe out of it, its file descriptor 3. */
  second?: boolean;
}

/**
 * FFmpeg in a process of its own, which does not outlive this one: it is killed when this process exits, and, where Linux has
 * `setpriv`, by the kernel when this process is killed. SIGKILL always: FFmpeg takes seconds to honour SIGTERM in mid-stream.
 * Its output must be read or the child be killed; what it says is bounded.
 */
export class FfmpegChild {
  /** Resolves when the process is gone and its pipes are closed. */
  readonly closed: Promise<void>;
  /** Undefined while it runs and when a signal ended it. */
  exitCode: number | undefined;
  private beginning = '';
  private end = '';
  private gone = false;
  private listeners: (() => void)[] = [];

  private constructor(
    private readonly child: ChildProcess,
    private readonly direct: Socket | undefined,
  ) {
    living.add(child);
    const ended = new Promise<void>((resolve) => {
      const done = () => {
        this.gone = true;
        living.delete(child);
        resolve();
      };
      child.once('error', (error) => {
        this.hear(error.message);
        // There is no process; where one could not be killed, its close still comes.
        if (child.pid === undefined) done();
      });
      child.once('close', (code) => {
        this.exitCode = code ?? undefined;
        done();
      });
    });
    // What it wrote before it ended may still be on the way.
    const read = new Promise<void>((resolve) => (!direct || direct.closed ? resolve() : direct.once('close', () => resolve())));
    this.closed = Promise.all([ended, read]).then(() => {});
    child.stderr!.setEncoding('utf8').on('data', (text: string) => this.hear(text));
  }

  static async start(ffmpeg: string, values: string[], { input, sink, second }: ChildOptions = {}): Promise<FfmpegChild> {
    const [program, ...rest] = [...(await leash()), ffmpeg, ...values] as [string, ...string[]];
    const direct = sink && (await openDirectPipe(sink));
    const child = spawn(program, rest, {
      stdio: [
        input === undefined ? 'ignore' : 'pipe',
        direct?.writeEnd ?? 'pipe',
        'pipe',
        ...(second ? (['pipe'] as const) : []),
      ],
      windowsHide: true,
    });
    direct?.writeEnd.destroy();
    if (sink && !direct) child.stdout!.on('data', (chunk: Buffer) => pour(chunk, sink));
    if (input !== undefined) {
      child.stdin!.on('error', () => {}); // It ended before it read.
      child.stdin!.end(input);
    }
    return new FfmpegChild(child, direct?.readEnd);
  }

  /** Its standard output, where no sink takes it. */
  get output(): Readable {
    return this.child.stdout!;
  }

  /** The second pipe, if it was asked for. */
  get second(): Readable | undefined {
    return this.child.stdio[3] as Readable | undefined;
  }

  /** Undefined where no process could be made. */
  get pid(): number | undefined {
    return this.child.pid;
  }

  /** What it said: the beginning and the end of it. May hold secrets. */
  get said(): string {
    return `${this.beginning}\n${this.end}`;
  }

  /** Called after each piece of what it says. */
  onSaid(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Resolves when nothing of it is left. */
  async kill(): Promise<void> {
    this.listeners = [];
    if (!this.gone) this.child.kill('SIGKILL');
    for (const stream of this.child.stdio) stream?.destroy();
    this.direct?.destroy();
    await this.closed;
  }

  private hear(text: string): void {
    if (this.beginning.length < BEGINNING) this.beginning += text;
    else this.end = (this.end + text).slice(-END);
    for (const listener of this.listeners) listener();
  }
}

const living = new Set<ChildProcess>();

process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

let leashed: Promise<string[]> | undefined;

/**
 * What comes before the program so that the kernel kills it when this thread ends (prctl(2), PR_SET_PDEATHSIG): setpriv of
 * util-linux, which becomes the program itself. Empty where there is none; then FFmpeg ends when it next writes to the closed pipe,
 * or by its own time limit.
 */
function leash(): Promise<string[]> {
  leashed ??= process.platform === 'linux' ? findLeash() : Promise.resolve([]);
  return leashed;
}

async function findLeash(): Promise<string[]> {
  for (const folder of (process.env.PATH ?? '').split(delimiter).filter(Boolean)) {
    const setpriv = join(folder, 'setpriv');
    const words = [setpriv, '--pdeathsig', 'KILL', '--'];
    const there = await access(setpriv, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (there) {
      // Busybox has a setpriv without this option.
      const works = await new Promise<boolean>((resolve) => {
        execFile(setpriv, [...words.slice(1), process.execPath, '--version'], { timeout: 10_000 }, (error) => resolve(!error));
      });
      return works ? words : [];
    }
  }
  return [];
}
