import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { find, ROOT } from './needs';

export interface RtspOptions {
  /** A pipeline of GStreamer for each path, ending in a payloader named pay0. */
  mounts?: Record<string, string>;
  user?: string;
  password?: string;
  /** Digest instead of Basic. */
  digest?: boolean;
  protocols?: 'tcp' | 'udp' | 'both';
}

/** Moving test pictures as H.264, as a camera's sub-stream sends them. */
export function testPictures({ width = 320, height = 240, rate = 10, keyFrames = 10, pattern = 'ball' } = {}): string {
  return (
    `videotestsrc is-live=true pattern=${pattern} ! video/x-raw,width=${width},height=${height},framerate=${rate}/1 ! ` +
    `x264enc tune=zerolatency speed-preset=ultrafast bitrate=1000 key-int-max=${keyFrames} ! rtph264pay name=pay0 pt=96 config-interval=1`
  );
}

/** A real RTSP camera on a free port of this machine: GStreamer's server, in a process of its own. */
export class RtspServer {
  private child: ChildProcess | undefined;
  port = 0;

  private constructor(private readonly options: RtspOptions) {}

  static async start(options: RtspOptions = {}): Promise<RtspServer> {
    const server = new RtspServer({ mounts: { '/live': testPictures() }, ...options });
    await server.up();
    return server;
  }

  url(path = '/live', userInfo = ''): string {
    return `rtsp://${userInfo ? `${userInfo}@` : ''}127.0.0.1:${this.port}${path}`;
  }

  /** Again on the same port. */
  async up(): Promise<void> {
    const wanted = JSON.stringify({ ...this.options, port: this.port });
    const child = spawn(find('rtsp')!, [`${ROOT}/test/support/rtsp-server.py`, wanted], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    const killed = () => child.kill('SIGKILL');
    process.once('exit', killed);
    child.once('exit', () => process.removeListener('exit', killed));
    let said = '';
    child.stderr!.on('data', (text) => {
      said = (said + text).slice(-4000);
    });
    this.port = await new Promise<number>((resolve, reject) => {
      createInterface({ input: child.stdout! }).on('line', (line) => {
        if (line.startsWith('READY ')) resolve(Number(line.slice(6)));
      });
      child.once('exit', (code) => reject(new Error(`the RTSP server ended with ${code}: ${said}`)));
    });
  }

  /** As a power cut would. */
  async kill(): Promise<void> {
    const { child } = this;
    this.child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }

  freeze(): void {
    this.child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.child?.kill('SIGCONT');
  }
}
