import { PixmapReader } from '../../../../core/media/ffmpeg/pixmap';

const pixmap = (width: number, height: number, value: number) =>
  Buffer.concat([Buffer.from(`P6\n${width} ${height}\n255\n`), Buffer.alloc(width * height * 3, value)]);

test('pictures of any size are taken out of a stream, wherever its chunks end', () => {
  const stream = Buffer.concat([pixmap(3, 2, 10), pixmap(1, 1, 255), pixmap(5, 4, 80)]);
  for (let size = 1; size <= stream.length; size++) {
    const reader = new PixmapReader();
    const found: [number, number, number][] = [];
    for (let at = 0; at < stream.length; at += size) {
      for (const { width, height, pixels } of reader.push(stream.subarray(at, at + size))) {
        expect(pixels).toHaveLength(width * height * 3);
        expect(new Set(pixels).size).toBe(1);
        found.push([width, height, pixels[0]!]);
      }
    }
    expect(found).toEqual([
      [3, 2, 10],
      [1, 1, 255],
      [5, 4, 80],
    ]);
    expect(reader.inside).toBe(false);
  }
});

test('bytes that were given back are used again, those that were sent never', () => {
  const reader = new PixmapReader();
  const [first] = reader.push(pixmap(4, 4, 1));
  const [second] = reader.push(pixmap(4, 4, 2));
  expect(second!.pixels.buffer).not.toBe(first!.pixels.buffer);
  reader.recycle(second!);
  const [third] = reader.push(pixmap(4, 4, 3));
  expect(third!.pixels).toBe(second!.pixels);
  expect(first!.pixels[0]).toBe(1);
  reader.recycle(third!);
  expect(reader.push(pixmap(2, 2, 4))[0]!.pixels).toHaveLength(12);
});

test.each([
  ['something else', Buffer.from('this is not a picture but a sentence of some length'), 'EDGE_IMAGE_FORMAT'],
  ['a picture of 16 bits', Buffer.from(`P6\n2 2\n65535\n${'x'.repeat(40)}`), 'EDGE_IMAGE_FORMAT'],
  ['a huge one', Buffer.from('P6\n100000 100000\n255\n'), 'EDGE_IMAGE_TOO_LARGE'],
])('%s is refused with a code', (_name, bytes, code) => {
  expect(() => new PixmapReader().push(bytes)).toThrow(expect.objectContaining({ code }));
});
