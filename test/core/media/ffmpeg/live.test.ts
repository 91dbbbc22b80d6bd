import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LiveVideo } from '../../../../core/media/ffmpeg';
import { processes } from '../../../support/ffmpeg-processes';
import { until } from '../../../support/until';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'edgeloom-live-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const subject = { kind: 'stream', shown: 'rtsp://cam/live', secrets: ['rtsp://ann:geheim@cam/live', 'geheim'] } as const;
const times = { openMs: 20_000, firstMs: 20_000, stallMs: 20_000 };

/** A program in the place of FFmpeg: pictures of one pixel, as its script says. */
async function live(name: string, script: string, more: Partial<typeof times> = {}) {
  const path = join(folder, name);
  const picture = 'picture() { printf "P6\\n1 1\\n255\\n%s" "$1"; }';
  writeFileSync(path, `#!/bin/bash\n${picture}\n${script}\n`);
  chmodSync(path, 0o755);
  const video = await LiveVideo.start(path, [], {}, subject, { ...times, ...more });
  return { child: video.child, video };
}
const found = 'echo "Input #0, rtsp, from it" >&2';
const gone = (pid: number) => !processes().some((each) => each.pid === pid);

test('the newest picture each time, however many came meanwhile: delay does not add up', async () => {
  const { child, video } = await live('many', `${found}; for i in $(seq 100 500); do picture $i; done; sleep 600`);
  await video.next();
  await until(() => video.seen === 401, 'every picture');
  expect((await video.next())!.pixels.toString()).toBe('500');
  expect(video.dropped).toBeGreaterThan(0);
  await video.stop();
  expect(gone(child.pid!)).toBe(true);
});

test('where no folder can be made for it, Node.js reads the pipe: the same pictures', async () => {
  const before = process.env.TMPDIR;
  process.env.TMPDIR = '/no/such/folder';
  try {
    const { child, video } = await live('plain', `${found}; for i in $(seq 100 500); do picture $i; done; sleep 600`);
    await until(() => video.seen === 401, 'every picture');
    expect((await video.next())!.pixels.toString()).toBe('500');
    await video.stop();
    expect(gone(child.pid!)).toBe(true);
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  }
});

test.each([
  ['says nothing', 'sleep 600', { openMs: 300 }, /no answer for 0.3 s/],
  ['finds the source and decodes nothing', `${found}; sleep 600`, { firstMs: 300 }, /no first picture for 0.3 s/],
  [
    'is heard of its source after its first picture',
    `picture abc; sleep 0.2; ${found}; sleep 600`,
    { stallMs: 1000 },
    /no picture for 1 s/,
  ],
  ['stops in the middle', `${found}; picture abc; sleep 600`, { stallMs: 300 }, /no picture for 0.3 s/],
  [
    'ignores every signal it can',
    `trap "" TERM INT HUP; ${found}; picture abc; while true; do sleep 1; done`,
    { stallMs: 300 },
    /no picture/,
  ],
])('one that %s is killed by the age of its pictures', async (name, script, more, says) => {
  const { child, video } = await live(name.replaceAll(' ', '-'), script, more);
  const ended = async () => {
    while (await video.next());
  };
  await expect(ended()).rejects.toMatchObject({ code: 'EDGE_SOURCE_TIMEOUT', message: expect.stringMatching(says) });
  await video.stop();
  expect(gone(child.pid!)).toBe(true);
});

test('an end is an end, also with exit code 0', async () => {
  const { video } = await live('over', `${found}; picture abc; exit 0`);
  await video.next();
  await expect(video.next()).rejects.toMatchObject({ code: 'EDGE_SOURCE_UNREACHABLE' });
  await video.stop();
});

test('what it says is bounded, and its secrets are in no error', async () => {
  const words = 'for i in $(seq 20000); do echo "frame $i of rtsp://ann:geheim@cam/live is damaged" >&2; done';
  const { child, video } = await live(
    'talk',
    `${found}; ${words}; echo "Error opening rtsp://ann:geheim@cam/live: gone" >&2; exit 1`,
  );
  const error = await video.next().catch((thrown: Error) => thrown);
  expect(error).toMatchObject({ code: 'EDGE_FFMPEG_FAILED', message: expect.stringMatching(/rtsp:\/\/cam\/live/) });
  expect((error as Error).message).not.toMatch(/geheim|ann/);
  expect(child.said.length).toBeLessThan(200_000);
  await video.stop();
});

test('a program that cannot run is an error, not a crash', async () => {
  const video = await LiveVideo.start(join(folder, 'not-there'), [], {}, subject, times);
  await expect(video.next()).rejects.toMatchObject({ code: expect.stringMatching(/^EDGE_/) });
  await video.stop();
});
