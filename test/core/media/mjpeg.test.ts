import { Readable } from 'node:stream';
import { MjpegParser, picturesOf } from '../../../core/media/mjpeg';
import { noise, quarters } from './pictures';

let pictures: Buffer[];
beforeAll(async () => {
  const thumbnail = await quarters(16, 16).jpeg().toBuffer();
  const plain = await noise(120, 90).jpeg().toBuffer();
  pictures = [
    await noise(64, 48).jpeg().toBuffer(),
    await noise(64, 48).jpeg({ progressive: true }).toBuffer(),
    // A whole JPEG inside an application segment, as cameras put thumbnails there.
    Buffer.concat([plain.subarray(0, 2), segment(0xe1, Buffer.concat([Buffer.from('Exif\0\0'), thumbnail])), plain.subarray(2)]),
    await quarters(32, 32).jpeg().toBuffer(),
  ];
});

const segment = (marker: number, body: Buffer) => {
  const head = Buffer.from([0xff, marker, 0, 0]);
  head.writeUInt16BE(body.length + 2, 2);
  return Buffer.concat([head, body]);
};
const multipart = (boundary: string, header: (picture: Buffer) => string) =>
  Buffer.concat(
    pictures.flatMap((picture) => [Buffer.from(`${boundary}\r\n${header(picture)}\r\n\r\n`), picture, Buffer.from('\r\n')]),
  );
const cut = (bytes: Buffer, size: number) =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => bytes.subarray(index * size, (index + 1) * size));
const parse = (chunks: Buffer[], parser = new MjpegParser()) => chunks.flatMap((chunk) => parser.push(chunk));
const equal = (found: Buffer[], expected: Buffer[]) => {
  expect(found.map((picture) => picture.length)).toEqual(expected.map((picture) => picture.length));
  expect(Buffer.concat(found).equals(Buffer.concat(expected))).toBe(true);
};

describe('pictures out of a stream of bytes', () => {
  test.each([1, 7, 1000, 1_000_000])('laid end to end, in chunks of %i bytes', (size) => {
    equal(parse(cut(Buffer.concat(pictures), size)), pictures);
  });

  test.each([
    ['with Content-Length', '--frame', (p: Buffer) => `Content-Type: image/jpeg\r\nContent-Length: ${p.length}`],
    ['without Content-Length', '--frame', () => 'Content-Type: image/jpeg'],
    ['with a wrong Content-Length', '--frame', () => 'Content-Type: image/jpeg\r\nContent-Length: 3'],
    ['with a boundary that lacks its dashes', 'myboundary', () => 'Content-type: image/jpeg'],
    ['with a quoted, doubled boundary and bare newlines', '----"x"', () => 'X-Timestamp: 1.5\nContent-Type: image/jpeg'],
  ])('multipart %s', (_name, boundary, header) => {
    for (const size of [13, 4096]) equal(parse(cut(multipart(boundary, header), size)), pictures);
  });

  test('a picture that lost its end does not take the next one with it', () => {
    const [first, second] = pictures as [Buffer, Buffer];
    equal(parse([first.subarray(0, first.length / 2), second, first]), [second, first]);
  });

  test('a picture cut inside a segment costs at most the next one', () => {
    const [first, second, , last] = pictures as [Buffer, Buffer, Buffer, Buffer];
    const found = parse([first.subarray(0, 30), second, last, last]);
    expect(found.at(-1)!.equals(last)).toBe(true);
  });

  test('bytes between pictures are skipped and counted', () => {
    const parser = new MjpegParser();
    equal(parse([Buffer.alloc(50_000, 0x41), pictures[0]!], parser), [pictures[0]!]);
    expect(parser.skipped).toBe(0);
    parse([Buffer.from('<html>not a camera</html>')], parser);
    expect(parser.skipped).toBeGreaterThan(20);
  });

  test('what it gives does not change when more bytes come', () => {
    const parser = new MjpegParser();
    const [first] = parser.push(pictures[0]!);
    const before = Buffer.from(first!);
    for (let round = 0; round < 20; round++) parser.push(pictures[2]!);
    expect(first!.equals(before)).toBe(true);
  });

  test('one that never ends is refused at the limit, and the stream goes on', () => {
    const parser = new MjpegParser(100_000);
    parser.push(pictures[0]!.subarray(0, pictures[0]!.length - 2));
    expect(() => {
      for (let round = 0; round < 20; round++) parser.push(Buffer.alloc(10_000, 1));
    }).toThrow(expect.objectContaining({ code: 'EDGE_IMAGE_TOO_LARGE' }));
    equal(parser.push(pictures[3]!), [pictures[3]!]);
  });

  test('hostile bytes: 3,000 mutated streams neither throw nor grow', () => {
    const whole = multipart('--b', () => 'Content-Type: image/jpeg');
    let seed = 7;
    const random = (below: number) => {
      seed = (seed * 1103515245 + 12345) % 2 ** 31;
      return seed % below;
    };
    let found = 0;
    for (let round = 0; round < 3000; round++) {
      const mutated = Buffer.from(whole);
      for (let byte = 0; byte < 8; byte++) mutated[random(mutated.length)] = random(256);
      for (const picture of parse(cut(mutated, 1 + random(9000)))) {
        expect(picture.subarray(0, 3)).toEqual(Buffer.from([0xff, 0xd8, 0xff]));
        found += 1;
      }
    }
    expect(found).toBeGreaterThan(3000);
  });

  test('nothing but starts of pictures is read in one pass', () => {
    const parser = new MjpegParser();
    const starts = Buffer.alloc(3_000_000);
    for (let at = 0; at < starts.length; at += 3) starts.set([0xff, 0xd8, 0xff], at);
    expect(parser.push(starts)).toEqual([]);
  });

  test('a file is read only as fast as it is asked for', async () => {
    let pulled = 0;
    const whole = Buffer.concat(Array.from({ length: 50 }, () => pictures[0]!));
    const stream = Readable.from(
      (function* () {
        for (const chunk of cut(whole, 1000)) {
          pulled += 1;
          yield chunk;
        }
      })(),
      { highWaterMark: 1 },
    );
    const iterator = picturesOf(stream);
    await iterator.next();
    expect(pulled).toBeLessThan(12);
    await iterator.return(undefined);
    expect(stream.destroyed).toBe(true);
  });
});
