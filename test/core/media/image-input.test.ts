import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { readImageHeader } from '../../../core/media/image-header';
import { toFrame } from '../../../core/media/image-input';
import { toJpeg } from '../../../core/media/jpeg';
import { frameBytes, makeFrame } from '../../../core/message/frame';
import { colourAt, noise, quarters } from './pictures';

let folder: string;
let jpeg: Buffer;
let png: Buffer;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'edgeloom-'));
  jpeg = await quarters(64, 32).jpeg().toBuffer();
  png = await quarters(64, 32).png().toBuffer();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('what counts as a picture', () => {
  const expected = { kind: 'frame', width: 64, height: 32, encoding: 'jpeg' };

  test('a Buffer, a typed array and an ArrayBuffer keep their bytes', async () => {
    const frame = await toFrame(jpeg);
    expect(frame).toMatchObject(expected);
    expect(frameBytes(frame)).toBe(jpeg);
    const array = new Uint8Array(jpeg);
    expect(await toFrame(array)).toMatchObject(expected);
    expect(await toFrame(array.buffer)).toMatchObject(expected);
    expect(await toFrame(png)).toMatchObject({ ...expected, encoding: 'png' });
  });

  test('a frame is given back as it is', async () => {
    const frame = await toFrame(jpeg);
    expect(await toFrame(frame)).toBe(frame);
  });

  test('base64, a data URL, and the JSON of a Buffer', async () => {
    expect(await toFrame(jpeg.toString('base64'))).toMatchObject(expected);
    expect(await toFrame(`data:image/jpeg;base64,${jpeg.toString('base64')}`)).toMatchObject(expected);
    expect(await toFrame(JSON.parse(JSON.stringify(jpeg)))).toMatchObject(expected);
  });

  test('a file name', async () => {
    const path = join(folder, 'a picture.jpg');
    writeFileSync(path, jpeg);
    expect(await toFrame(path)).toMatchObject(expected);
  });

  test('raw pixels as canvas and Jimp have them', async () => {
    const data = await quarters(8, 4).ensureAlpha().raw().toBuffer();
    expect(await toFrame({ width: 8, height: 4, data })).toMatchObject({ encoding: 'rgba8', width: 8, height: 4, channels: 4 });
    expect(await toFrame({ bitmap: { width: 8, height: 4, data } })).toMatchObject({ encoding: 'rgba8' });
  });
});

describe('what does not, says why', () => {
  const refused: [string, unknown, string][] = [
    ['nothing', undefined, 'EDGE_INPUT_EMPTY'],
    ['null', null, 'EDGE_INPUT_EMPTY'],
    ['an empty text', '', 'EDGE_INPUT_EMPTY'],
    ['an empty Buffer', Buffer.alloc(0), 'EDGE_INPUT_EMPTY'],
    ['a number', 7, 'EDGE_INPUT_TYPE'],
    ['an array', [1, 2, 3], 'EDGE_INPUT_TYPE'],
    ['an object', { temperature: 20 }, 'EDGE_INPUT_TYPE'],
    ['__proto__ keys', JSON.parse('{"__proto__": {"kind": "frame"}}'), 'EDGE_INPUT_TYPE'],
    ['a Buffer that is text', Buffer.from('this is no picture at all'), 'EDGE_IMAGE_FORMAT'],
    ['SVG, which could refer to other files', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), 'EDGE_IMAGE_FORMAT'],
    ['base64 of something else', Buffer.from('this is no picture').toString('base64'), 'EDGE_FILE_NOT_FOUND'],
    ['a data URL of something else', 'data:image/png;base64,aGVsbG8gd29ybGQgaGVsbG8=', 'EDGE_IMAGE_FORMAT'],
    ['an address', 'http://example.org/a.jpg', 'EDGE_INPUT_TYPE'],
    ['a missing file', '/no/such/file.jpg', 'EDGE_FILE_NOT_FOUND'],
    ['a folder', tmpdir(), 'EDGE_FILE_NOT_FOUND'],
    ['a name with NUL', '/tmp/a\0.jpg', 'EDGE_INPUT_TYPE'],
    ['an endless device', '/dev/zero', 'EDGE_FILE_NOT_FOUND'],
    ['raw pixels of the wrong length', { width: 8, height: 8, data: Buffer.alloc(10) }, 'EDGE_INPUT_TYPE'],
    [
      'a frame whose bytes are gone',
      { kind: 'frame', width: 1, height: 1, channels: 3, encoding: 'jpeg', ref: {} },
      'EDGE_FRAME_GONE',
    ],
  ];
  test.each(refused)('%s', async (_name, payload, code) => {
    await expect(toFrame(payload)).rejects.toMatchObject({ code });
  });

  test('a named pipe does not hold a thread', async () => {
    const pipe = join(folder, 'pipe.jpg');
    execFileSync('mkfifo', [pipe]);
    await expect(toFrame(pipe)).rejects.toMatchObject({ code: 'EDGE_FILE_NOT_FOUND' });
  });

  test('a file above the limit is not read', async () => {
    const path = join(folder, 'huge.jpg');
    writeFileSync(path, jpeg);
    truncateSync(path, 3 * 2 ** 30);
    await expect(toFrame(path)).rejects.toMatchObject({ code: 'EDGE_IMAGE_TOO_LARGE' });
  });
});

describe('the header reader', () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])('sees EXIF orientation %i like the decoder', async (orientation) => {
    const turned = await quarters(40, 20).withMetadata({ orientation }).jpeg().toBuffer();
    expect(readImageHeader(turned)).toEqual({ encoding: 'jpeg', width: 40, height: 20, orientation });
  });

  test('reads progressive JPEG and PNG', async () => {
    expect(readImageHeader(await noise(123, 45).jpeg({ progressive: true }).toBuffer())).toMatchObject({
      width: 123,
      height: 45,
    });
    expect(readImageHeader(await noise(123, 45).png().toBuffer())).toMatchObject({ encoding: 'png', width: 123, height: 45 });
  });

  test('survives every truncation and 2000 mutations of a header', async () => {
    const whole = await quarters(40, 20).withMetadata({ orientation: 6 }).jpeg().toBuffer();
    for (let length = 0; length < Math.min(whole.length, 700); length++) readImageHeader(whole.subarray(0, length));
    let seed = 1;
    const random = () => {
      seed = (seed * 1103515245 + 12345) % 2 ** 31;
      return seed;
    };
    for (let round = 0; round < 2000; round++) {
      const mutated = Buffer.from(whole);
      for (let byte = 0; byte < 4; byte++) mutated[2 + (random() % 300)] = random() % 256;
      const header = readImageHeader(mutated);
      if (header) expect(header.orientation).toBeLessThanOrEqual(8);
    }
  });
});

describe('a frame as JPEG', () => {
  test('one that is a JPEG is not encoded again', async () => {
    const same = await toJpeg(await toFrame(jpeg));
    expect(same.equals(jpeg)).toBe(true);
    expect(same.buffer).toBe(jpeg.buffer);
  });

  test('shrinks to a width and never enlarges', async () => {
    const frame = await toFrame(jpeg);
    expect(await sharp(await toJpeg(frame, { width: 32 })).metadata()).toMatchObject({ width: 32, height: 16 });
    expect(await sharp(await toJpeg(frame, { width: 640 })).metadata()).toMatchObject({ width: 64, height: 32 });
  });

  test('shrinking a turned picture turns it, and the orientation is gone', async () => {
    const turned = await toFrame(await quarters(64, 32).withMetadata({ orientation: 6 }).jpeg().toBuffer());
    const about = await sharp(await toJpeg(turned, { width: 16 })).metadata();
    expect(about).toMatchObject({ width: 16, height: 32 });
    expect(about.orientation ?? 1).toBe(1);
  });

  test('raw frames of both colour orders', async () => {
    const rgb = await quarters(16, 16).raw().toBuffer();
    const bgr = Buffer.from(rgb);
    for (let at = 0; at < bgr.length; at += 3) bgr.set([rgb[at + 2]!, rgb[at + 1]!, rgb[at]!], at);
    for (const frame of [makeFrame(rgb, 'rgb8', 16, 16), makeFrame(bgr, 'bgr8', 16, 16)]) {
      for (const options of [{ quality: 95 }, { quality: 95, width: 8 }]) {
        const { data, info } = await sharp(await toJpeg(frame, options))
          .raw()
          .toBuffer({ resolveWithObject: true });
        expect(info.width).toBe(options.width ?? 16);
        expect(colourAt(data, info.width, 1, 1)).toBe('red');
        expect(colourAt(data, info.width, 1, info.height - 2)).toBe('blue');
      }
    }
  });

  test('a damaged PNG is refused', async () => {
    const whole = await noise(100, 100).png().toBuffer();
    await expect(toJpeg(await toFrame(whole.subarray(0, whole.length / 2)))).rejects.toMatchObject({
      code: 'EDGE_IMAGE_TRUNCATED',
    });
  });
});
