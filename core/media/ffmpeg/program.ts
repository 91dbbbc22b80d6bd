import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { EdgeError } from '../../errors';

/** Milliseconds in which a program that only tells about itself must have ended. */
const ANSWER_MS = 10_000;

/** Ways to decode on a chip, best first; FFmpeg names them. A machine has none or one of them. */
const HARDWARE = ['cuda', 'vaapi', 'qsv', 'videotoolbox', 'd3d11va', 'dxva2', 'drm'];

/** libavformat 59.16 came with FFmpeg 5.0. Its number is right where the release is a date or a hash, as in nightly builds. */
const FFMPEG_5 = [59, 16] as const;
const FFMPEG_6 = [60, 0] as const;

/** One FFmpeg program on this machine and what it can do. Asked once for each path, and again when the file was replaced. */
export class Ffmpeg {
  private probing: Promise<string[]> | undefined;

  constructor(
    readonly path: string,
    /** As it calls itself: `5.1.9-0+deb12u1`, `n7.1`, `N-109468-gd39b34123d`. */
    readonly version: string,
    /** Major and minor number of its libavformat, which follow the releases: 58 is FFmpeg 4, 62 is FFmpeg 8. */
    private readonly formats: readonly [number, number],
  ) {}

  /** @throws EDGE_FFMPEG_FAILED when the program cannot run, is older than 4 or is no FFmpeg */
  static at(path: string): Promise<Ffmpeg> {
    return remembered(path);
  }

  /** From what `ffmpeg -version` prints. @throws EDGE_FFMPEG_FAILED */
  static parse(path: string, printed: string): Ffmpeg {
    const version = /^ffmpeg version (\S+)/m.exec(printed)?.[1];
    const formats = /^libavformat\s+(\d+)\.\s*(\d+)\./m.exec(printed);
    if (!version || !formats) throw new EdgeError('EDGE_FFMPEG_FAILED', `${path} does not say that it is FFmpeg`);
    const ffmpeg = new Ffmpeg(path, version, [Number(formats[1]), Number(formats[2])]);
    if (ffmpeg.before([58, 0])) throw new EdgeError('EDGE_FFMPEG_FAILED', `${path} is version ${version}, at least 4 is needed`);
    return ffmpeg;
  }

  /** `-timeout` of RTSP means what it says, and the concat demuxer takes options: since FFmpeg 5. */
  get since5(): boolean {
    return !this.before(FFMPEG_5);
  }

  /** `-fps_mode` in the place of `-vsync`. */
  get since6(): boolean {
    return !this.before(FFMPEG_6);
  }

  /**
   * The hardware decoders that can be opened on this machine, best first. Each that was compiled in is really tried: a build for
   * every machine names seven and most machines have none.
   */
  hardware(): Promise<string[]> {
    this.probing ??= this.probe();
    return this.probing;
  }

  private async probe(): Promise<string[]> {
    const listed = await output(this.path, ['-hide_banner', '-hwaccels']).catch(() => '');
    const compiled = new Set(listed.split('\n').map((line) => line.trim()));
    const found: string[] = [];
    for (const name of HARDWARE.filter((each) => compiled.has(each))) {
      const open = ['-hide_banner', '-v', 'error', '-init_hw_device', name];
      const nothing = ['-f', 'lavfi', '-i', 'color=s=64x64:d=0.1', '-frames:v', '1', '-f', 'null', '-'];
      const opened = await output(this.path, [...open, ...nothing]).then(
        () => true,
        () => false,
      );
      if (opened) found.push(name);
    }
    return found;
  }

  private before([major, minor]: readonly [number, number]): boolean {
    return this.formats[0] < major || (this.formats[0] === major && this.formats[1] < minor);
  }
}

interface Known {
  changedAt: number;
  ffmpeg: Promise<Ffmpeg>;
}

const known = new Map<string, Known>();

async function remembered(path: string): Promise<Ffmpeg> {
  const changedAt = await stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
  const before = known.get(path);
  if (before?.changedAt === changedAt) return before.ffmpeg;
  const ffmpeg = output(path, ['-version']).then((printed) => Ffmpeg.parse(path, printed));
  known.set(path, { changedAt, ffmpeg });
  // What failed is asked again: the machine may have been out of memory.
  ffmpeg.catch(() => known.delete(path));
  return ffmpeg;
}

function output(path: string, values: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { timeout: ANSWER_MS, killSignal: 'SIGKILL', maxBuffer: 2 ** 20, windowsHide: true } as const;
    execFile(path, values, options, (error, stdout) => {
      if (!error) resolve(stdout);
      else {
        const reason = error.killed ? `no answer in ${ANSWER_MS / 1000} s` : error.message.split('\n')[0]!.slice(0, 200);
        reject(new EdgeError('EDGE_FFMPEG_FAILED', `${path}: ${reason}`, { cause: error }));
      }
    });
  });
}
