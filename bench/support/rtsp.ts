import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { ROOT } from './node-red';

/** GStreamer's RTSP server with as many H.264 streams as asked for, /0, /1 and so on. Needs what test/support/rtsp-server.py names. */
export class RtspStreams {
  port = 0;
  private child: ChildProcess | undefined;

  private constructor(
    private readonly count: number,
    private readonly rate: number,
  ) {}

  static async start(count: number, rate: number): Promise<RtspStreams> {
    const streams = new RtspStreams(count, rate);
    await streams.up();
    return streams;
  }

  url(index: number): string {
    return `rtsp://127.0.0.1:${this.port}/${index}`;
  }

  /** Resolves when it listens; again on the same port after `kill`. */
  async up(): Promise<void> {
    const mounts = Object.fromEntries(Array.from({ length: this.count }, (_, index) => [`/${index}`, pipeline(this.rate)]));
    const script = join(ROOT, 'test', 'support', 'rtsp-server.py');
    // Not the python3 of pyenv or conda, which does not see Debian's modules.
    const child = spawn('/usr/bin/python3', [script, JSON.stringify({ port: this.port, mounts })], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.child = child;
    const killed = () => child.kill('SIGKILL');
    process.once('exit', killed);
    child.once('exit', () => process.removeListener('exit', killed));
    this.port = await new Promise<number>((resolve, reject) => {
      createInterface({ input: child.stdout! }).on('line', (line) => {
        if (line.startsWith('READY ')) resolve(Number(line.slice(6)));
      });
      child.once('error', reject);
      child.once('exit', (code) =>
        reject(new Error(`the RTSP server ended with ${code}: is gir1.2-gst-rtsp-server-1.0 installed?`)),
      );
    });
  }

  async kill(): Promise<void> {
    const { child } = this;
    this.child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }
}

/** 640x480, colour bars and a field of noise that is another in each picture, a key frame every 2 seconds: a sub-stream as cameras send it. */
function pipeline(rate: number): string {
  return (
    `videotestsrc is-live=true pattern=smpte ! video/x-raw,width=640,height=480,framerate=${rate}/1 ! ` +
    `x264enc tune=zerolatency speed-preset=ultrafast bitrate=1000 key-int-max=${2 * rate} ! rtph264pay name=pay0 pt=96 config-interval=1`
  );
}
