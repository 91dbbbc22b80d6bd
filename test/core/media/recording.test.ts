import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeVideo, findFfmpeg } from '../../../core/media/ffmpeg';
import { openRecording, type RecordedFrame } from '../../../core/media/recording';
import { find, itWith } from '../../support/needs';
import { until } from '../../support/until';
import { noise } from './pictures';

let folder: string;
let pictures: Buffer[];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'edgeloom-recording-'));
  pictures = await Promise.all([64, 32, 16].map((width) => noise(width, 16).jpeg().toBuffer()));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function all(path: string, options = {}): Promise<{ frames: RecordedFrame[]; errors: string[] }> {
  const errors: string[] = [];
  const frames: RecordedFrame[] = [];
  const recording = await openRecording(path, options);
  for await (const recorded of recording.play((error) => errors.push(error.code))) frames.push(recorded);
  return { frames, errors };
}
const shape = (frames: RecordedFrame[]) => frames.map(({ frame, at }) => [frame.width, at]);
/** A program in the place of FFmpeg. */
function program(name: string, script: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

describe('a recording', () => {
  test('MJPEG: the rate stands beside it, or is set', async () => {
    const path = join(folder, 'yard.mjpeg');
    writeFileSync(path, Buffer.concat(pictures));
    expect(shape((await all(path)).frames)).toEqual([
      [64, 0],
      [32, 200],
      [16, 400],
    ]);
    writeFileSync(join(folder, 'yard.json'), '{"framesPerSecond": 20}');
    expect(shape((await all(path)).frames)).toEqual([
      [64, 0],
      [32, 50],
      [16, 100],
    ]);
    expect(shape((await all(path, { framesPerSecond: 1 })).frames)).toEqual([
      [64, 0],
      [32, 1000],
      [16, 2000],
    ]);
  });

  test('MJPEG cut in the middle gives what is whole', async () => {
    const path = join(folder, 'cut.mjpeg');
    writeFileSync(path, Buffer.concat(pictures).subarray(0, -50));
    expect((await all(path)).frames).toHaveLength(2);
  });

  test('folder: natural order, other files passed over, damaged ones reported', async () => {
    const path = join(folder, 'shots');
    mkdirSync(path);
    for (const [index, name] of ['9.jpg', '10.JPG', '100.jpeg'].entries()) writeFileSync(join(path, name), pictures[index]!);
    writeFileSync(join(path, '11.png'), 'damaged');
    writeFileSync(join(path, 'notes.txt'), 'x');
    const { frames, errors } = await all(path);
    expect(shape(frames)).toEqual([
      [64, 0],
      [32, 200],
      [16, 600],
    ]);
    expect(errors).toEqual(['EDGE_IMAGE_FORMAT']);
  });

  test('one picture is a recording of one', async () => {
    const path = join(folder, 'one.jpg');
    writeFileSync(path, pictures[0]!);
    expect(await openRecording(path)).toMatchObject({ kind: 'picture', name: 'one', count: 1 });
    expect((await all(path)).frames).toHaveLength(1);
  });

  test('what is not there, empty or no recording has a code', async () => {
    writeFileSync(join(folder, 'empty.mjpeg'), '');
    writeFileSync(join(folder, 'text.mjpeg'), 'no picture in here');
    mkdirSync(join(folder, 'none'));
    await expect(all(join(folder, 'missing'))).rejects.toMatchObject({ code: 'EDGE_FILE_NOT_FOUND' });
    await expect(all('/dev/zero')).rejects.toMatchObject({ code: 'EDGE_FILE_NOT_FOUND' });
    for (const name of ['empty.mjpeg', 'text.mjpeg', 'none']) {
      await expect(all(join(folder, name))).rejects.toMatchObject({ code: 'EDGE_INPUT_EMPTY' });
    }
  });
});

test('a file that is named as a picture and is none says so, without FFmpeg', async () => {
  const path = join(folder, 'noise.jpg');
  writeFileSync(path, Buffer.alloc(1000, 7));
  await expect(all(path, { ffmpeg: '/no/such/ffmpeg' })).rejects.toMatchObject({ code: 'EDGE_IMAGE_FORMAT' });
});

describe('a video', () => {
  test('without FFmpeg, the error says how to install it here', async () => {
    const path = join(folder, 'film.mp4');
    writeFileSync(path, Buffer.alloc(1000, 7));
    await expect(openRecording(path, { ffmpeg: '/no/such/ffmpeg' })).rejects.toMatchObject({
      code: 'EDGE_FFMPEG_MISSING',
      message: expect.stringMatching(/Run: .*ffmpeg/),
    });
  });

  test('an FFmpeg that hangs is killed', async () => {
    const hanging = program(
      'hang',
      'trap "" TERM; echo "Stream #0:0: Video: h264, 25 fps" >&2; printf P; while true; do sleep 1; done',
    );
    const { pictures } = await decodeVideo(hanging, '/x.mp4', { stallMs: 300 });
    const read = async () => {
      for await (const _ of pictures);
    };
    await expect(read()).rejects.toMatchObject({ code: 'EDGE_FFMPEG_FAILED', message: expect.stringMatching(/no picture for/) });
  });

  test('an FFmpeg that fails or cannot start says why', async () => {
    const failing = program('fail', 'echo "film.mp4: Invalid data found" >&2; exit 1');
    await expect(all(join(folder, 'film.mp4'), { ffmpeg: failing })).rejects.toMatchObject({
      code: 'EDGE_FFMPEG_FAILED',
      message: expect.stringMatching(/Invalid data found/),
    });
    const broken = join(folder, 'broken');
    writeFileSync(broken, '\0\0\0');
    chmodSync(broken, 0o755);
    await expect(all(join(folder, 'film.mp4'), { ffmpeg: broken })).rejects.toMatchObject({ code: 'EDGE_FFMPEG_FAILED' });
  });

  itWith(['ffmpeg'], 'is decoded at its own rate or a chosen one, and stopping kills FFmpeg', async () => {
    const path = join(folder, '-real film.avi');
    const make = ['-f', 'lavfi', '-i', 'testsrc=size=160x120:rate=10:duration=2', '-c:v', 'mjpeg', '-y', path];
    execFileSync(find('ffmpeg')!, ['-hide_banner', '-loglevel', 'error', ...make]);
    const { frames } = await all(path);
    expect(frames).toHaveLength(20);
    expect(frames[10]).toMatchObject({ at: 1000, frame: { width: 160, height: 120, encoding: 'rgb8' } });
    const small = (await all(path, { framesPerSecond: 2, largestWidth: 80 })).frames;
    expect(shape(small)).toEqual([
      [80, 0],
      [80, 500],
      [80, 1000],
      [80, 1500],
    ]);
    expect(small[0]!.frame.height).toBe(60);
    const video = await decodeVideo(await findFfmpeg(), path);
    for await (const _ of video.pictures) break;
    const children = () => process.getActiveResourcesInfo().filter((name) => name === 'ProcessWrap').length;
    await until(() => children() === 0, 'FFmpeg to be gone');
  });

  itWith(['ffmpeg'], 'that is no video, or a playlist that points elsewhere, is refused', async () => {
    await expect(all(join(folder, 'film.mp4'))).rejects.toMatchObject({ code: 'EDGE_FFMPEG_FAILED' });
    const playlist = join(folder, 'list.m3u8');
    writeFileSync(playlist, '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n');
    await expect(all(playlist)).rejects.toMatchObject({ code: 'EDGE_FFMPEG_FAILED' });
  });
});
