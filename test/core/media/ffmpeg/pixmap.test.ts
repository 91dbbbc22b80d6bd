import { type Pixmap, PixmapReader } from '../../../../core/media/ffmpeg/pixmap';

const pixmap = (width: number, height: number, value: number) =>
  Buffer.concat([Buffer.from(`P6\n${width} ${height}\n255\n`), Buffer.alloc(width * height * 3, value)]);

test('pictures of any size are taken out of a stream, wherever its chunks end', () => {
  const stream = Buffer.concat([pixmap(3, 2, 10), pixmap(1, 1, 255), pixmap(5, 4, 80)]);
  for (let size = 1; size <= stream.length; size++) {
    const found: [number, number, number][] = [];
    const reader = new PixmapReader(({ width, height, pixels }) => {
      expect(pixels).toHaveLength(width * height * 3);
      expect(new Set(pixels).size).toBe(1);
      found.push([width, height, pixels[0]!]);
    });
    for (let at = 0; at < stream.length; at += size) {
      reader.push(stream.subarray(at, at + size));
    }
    expect(found).toEqual([
      [3, 2, 10],
      [1, 1, 255],
      [5, 4, 80],
    ]);
    expect(reader.inside).toBe(false);
  }
});

test('a stream can be read straight into the pictures, also where a header is shorter than the one before', () => {
  const stream = Buffer.concat([pixmap(100, 100, 1), pixmap(1, 1, 2), pixmap(2, 1, 3), pixmap(100, 100, 4)]);
  const found: string[] = [];
  const reader = new PixmapReader(({ width, pixels }) => found.push(`${width} ${[...new Set(pixels)]}`));
  for (let at = 0; at < stream.length; ) {
    const space = reader.space();
    const length = Math.min(space.length, stream.length - at);
    expect(length).toBeGreaterThan(0);
    space.set(stream.subarray(at, at + length));
    at += length;
    reader.filled(length);
  }
  expect(found).toEqual(['100 1', '1 2', '2 3', '100 4']);
});

test('bytes that were given back are used again, those that were sent never', () => {
  const found: Pixmap[] = [];
  const reader = new PixmapReader((picture) => found.push(picture));
  reader.push(pixmap(4, 4, 1));
  reader.push(pixmap(4, 4, 2));
  expect(found[1]!.pixels.buffer).not.toBe(found[0]!.pixels.buffer);
  reader.recycle(found[1]!);
  reader.push(pixmap(4, 4, 3));
  expect(found[2]!.pixels).toBe(found[1]!.pixels);
  expect(found[0]!.pixels[0]).toBe(1);
  reader.recycle(found[2]!);
  reader.push(pixmap(2, 2, 4));
  expect(found[3]!.pixels).toHaveLength(12);
});

test.each([
  ['something else', Buffer.from('this is not a picture but a sentence of some length'), 'EDGE_IMAGE_FORMAT'],
  ['a picture of 16 bits', Buffer.from(`P6\n2 2\n65535\n${'x'.repeat(40)}`), 'EDGE_IMAGE_FORMAT'],
  ['a huge one', Buffer.from('P6\n100000 100000\n255\n'), 'EDGE_IMAGE_TOO_LARGE'],
])('%s is refused with a code', (_name, bytes, code) => {
  expect(() => new PixmapReader(() => {}).push(bytes)).toThrow(expect.objectContaining({ code }));
});
