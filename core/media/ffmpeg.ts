import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import type { Readable } from 'node:stream';
import { EdgeError } from '../errors';

/** Milliseconds without a byte, while somebody waits for one, after which FFmpeg is taken to hang and is killed. */
const STALL_MS = 10_000;
const STDERR_BYTES = 16_384;

/**
 * The FFmpeg to use: the one that was named, else the first on the PATH. None is shipped: its licence is the user's choice.
 * @throws EDGE_FFMPEG_MISSING with the command that installs it on this system
 */
export async function findFfmpeg(named = ''): Promise<string> {
  const program = process.platform === 'win32' ? 'ffmpeg.exe' : 'ffmpeg';
  const candidates = named
    ? [named]
    : (process.env.PATH ?? '')
        .split(delimiter)
        .filter(Boolean)
        .map((folder) => join(folder, program));
  for (const candidate of candidates) {
    const usable = await access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (usable) return candidate;
  }
  throw new EdgeError('EDGE_FFMPEG_MISSING', named ? `no program at ${named}` : 'none on the PATH', {
    mend: await installHint(),
  });
}

export interface VideoPictures {
  /** Frames per second of the pictures; 0 where the video does not say. */
  framesPerSecond: number;
  /** JPEG bytes as FFmpeg wrote them, read only as fast as they are asked for. Ending the iteration kills FFmpeg. */
  chunks: AsyncIterable<Uint8Array>;
}

/**
 * Decode a video file to JPEG pictures in a child process that can be killed whatever it does.
 * @throws EDGE_FFMPEG_FAILED with what FFmpeg said, also when it stopped answering
 */
export async function decodeVideo(
  ffmpeg: string,
  path: string,
  options: { framesPerSecond?: number; stallMs?: number } = {},
): Promise<VideoPictures> {
  const child = spawn(ffmpeg, argumentsFor(path, options.framesPerSecond), { stdio: ['ignore', 'pipe', 'pipe'] });
  const run = new FfmpegRun(child, options.stallMs ?? STALL_MS);
  const framesPerSecond = options.framesPerSecond ?? (await run.frameRate());
  return { framesPerSecond, chunks: run.chunks() };
}

function argumentsFor(path: string, framesPerSecond: number | undefined): string[] {
  const rate = framesPerSecond ? ['-vf', `fps=${framesPerSecond}`] : [];
  return [
    '-nostdin',
    '-hide_banner',
    // A file, and only files: a playlist inside it must not make FFmpeg open addresses.
    '-protocol_whitelist',
    'file,pipe,crypto,data',
    '-i',
    `file:${path}`,
    '-an',
    '-sn',
    ...rate,
    '-f',
    'image2pipe',
    '-c:v',
    'mjpeg',
    '-pix_fmt',
    'yuvj420p',
    '-q:v',
    '3',
    'pipe:1',
  ];
}

class FfmpegRun {
  private said = '';
  private ended = false;
  private stalled = false;
  private readonly closed: Promise<number | null>;

  constructor(
    private readonly child: ChildProcessByStdio<null, Readable, Readable>,
    private readonly stallMs: number,
  ) {
    this.closed = new Promise((resolve) => {
      child.once('error', (error) => {
        this.said += error.message;
        this.ended = true;
        resolve(-1);
      });
      child.once('close', (code) => {
        this.ended = true;
        resolve(code);
      });
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      // The beginning says what the input is, the end why it failed; progress lines between them are dropped.
      this.said = this.said.length < STDERR_BYTES ? this.said + text : this.said.slice(0, STDERR_BYTES / 2) + text.slice(-2048);
    });
  }

  /** FFmpeg describes its input before it writes the first picture. */
  async frameRate(): Promise<number> {
    await this.orStalled(new Promise((resolve) => this.child.stdout.once('readable', resolve)));
    const found = /Stream #.*Video:.* ([\d.]+) fps/.exec(this.said) ?? /Stream #.*Video:.* ([\d.]+) tbr/.exec(this.said);
    return found ? Number(found[1]) : 0;
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    const reading = this.child.stdout[Symbol.asyncIterator]();
    let any = false;
    try {
      for (;;) {
        const next = await this.orStalled(reading.next());
        if (!next || next.done) break;
        any = true;
        yield next.value as Uint8Array;
      }
      const code = await this.orStalled(this.closed);
      if (this.stalled || (code !== 0 && code !== null) || !any) throw this.failure(code ?? null);
    } finally {
      await this.kill();
    }
  }

  /** The promise's value, or undefined after the process was killed because nothing came in time. */
  private async orStalled<T>(promise: Promise<T>): Promise<T | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const stall = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => {
        this.stalled = true;
        this.child.kill('SIGKILL');
        resolve(undefined);
      }, this.stallMs);
    });
    try {
      return await Promise.race([promise, stall]);
    } finally {
      clearTimeout(timer);
    }
  }

  private failure(code: number | null): EdgeError {
    if (this.stalled) return new EdgeError('EDGE_FFMPEG_FAILED', `no picture for ${this.stallMs / 1000} s`);
    const lines = this.said.trim().split('\n');
    const last = lines.reverse().find((line) => /error|invalid|no such|denied|not |could/i.test(line)) ?? lines[0] ?? '';
    return new EdgeError('EDGE_FFMPEG_FAILED', `${last.trim().slice(0, 200)} (exit ${code})`);
  }

  /** SIGKILL: FFmpeg takes seconds to honour SIGTERM while its output is blocked. */
  private async kill(): Promise<void> {
    if (!this.ended) this.child.kill('SIGKILL');
    this.child.stdout.destroy();
    this.child.stderr.destroy();
    await this.closed;
  }
}

async function installHint(): Promise<string> {
  if (process.platform === 'darwin') return 'Run: brew install ffmpeg';
  if (process.platform === 'win32') return 'Run: winget install ffmpeg';
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const family = /^(?:ID|ID_LIKE)=.*$/gm;
  const names = (release.match(family) ?? []).join(' ');
  if (/alpine/.test(names)) return 'Run: apk add ffmpeg';
  if (/fedora|rhel/.test(names)) return 'Run: sudo dnf install ffmpeg';
  if (/arch/.test(names)) return 'Run: sudo pacman -S ffmpeg';
  if (/suse/.test(names)) return 'Run: sudo zypper install ffmpeg';
  return 'Run: sudo apt-get install ffmpeg';
}
