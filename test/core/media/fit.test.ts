import sharp from 'sharp';
import { fitToInput } from '../../../core/media/fit';
import { pictureFrame } from '../../../core/media/image-input';
import { boxToSource } from '../../../core/media/letterbox';
import { makeFrame } from '../../../core/message/frame';
import { colourAt, noise, pixelAt, plain, quarters } from './pictures';

const corners = (pixels: Uint8Array, width: number, height: number, margin: number) => [
  colourAt(pixels, width, margin, margin),
  colourAt(pixels, width, width - 1 - margin, margin),
  colourAt(pixels, width, margin, height - 1 - margin),
  colourAt(pixels, width, width - 1 - margin, height - 1 - margin),
];

describe('fitting a picture into a model input', () => {
  test('letterbox keeps the aspect ratio and lays grey bars where the placement says', async () => {
    const frame = pictureFrame(await quarters(160, 80).jpeg({ quality: 95 }).toBuffer());
    const { pixels, placement } = await fitToInput(frame, { width: 64, height: 64, fit: 'letterbox' });
    expect(pixels.length).toBe(64 * 64 * 3);
    expect(placement).toEqual({ sourceWidth: 160, sourceHeight: 80, scaleX: 0.4, scaleY: 0.4, offsetX: 0, offsetY: 16 });
    expect(pixelAt(pixels, 64, 10, 8)).toEqual([114, 114, 114]);
    expect(pixelAt(pixels, 64, 10, 15)).toEqual([114, 114, 114]);
    expect(colourAt(pixels, 64, 10, 20)).toBe('red');
    expect(colourAt(pixels, 64, 50, 45)).toBe('white');
    expect(pixelAt(pixels, 64, 10, 48)).toEqual([114, 114, 114]);
    expect(boxToSource({ x: 0, y: 16, width: 32, height: 16 }, placement)).toEqual({ x: 0, y: 0, width: 80, height: 40 });
  });

  test('letterbox at the start puts the bars at the right and below, in the grey that was asked for', async () => {
    const frame = pictureFrame(await quarters(40, 80).png().toBuffer());
    const { pixels, placement } = await fitToInput(frame, {
      width: 64,
      height: 64,
      fit: 'letterbox',
      anchor: 'start',
      padding: 7,
    });
    expect(placement).toMatchObject({ offsetX: 0, offsetY: 0, scaleX: 0.8, scaleY: 0.8 });
    expect(colourAt(pixels, 64, 1, 1)).toBe('red');
    expect(pixelAt(pixels, 64, 40, 1)).toEqual([7, 7, 7]);
  });

  test('stretch fills the input, cover crops the middle', async () => {
    const frame = pictureFrame(await quarters(160, 80).png().toBuffer());
    const stretched = await fitToInput(frame, { width: 64, height: 64, fit: 'stretch' });
    expect(corners(stretched.pixels, 64, 64, 2)).toEqual(['red', 'green', 'blue', 'white']);
    expect(stretched.placement).toMatchObject({ scaleX: 0.4, scaleY: 0.8 });
    const covered = await fitToInput(frame, { width: 64, height: 64, fit: 'cover' });
    expect(corners(covered.pixels, 64, 64, 2)).toEqual(['red', 'green', 'blue', 'white']);
    expect(covered.placement).toMatchObject({ scaleX: 0.8, scaleY: 0.8, offsetX: -32, offsetY: 0 });
  });

  test.each([1, 2, 3, 4, 5, 6, 7, 8])('EXIF orientation %i is applied, as sharp itself does', async (orientation) => {
    const jpeg = await quarters(96, 64).withMetadata({ orientation }).jpeg({ quality: 95 }).toBuffer();
    const { pixels, placement } = await fitToInput(pictureFrame(jpeg), { width: 48, height: 48, fit: 'stretch' });
    const upright = await sharp(jpeg).autoOrient().resize(48, 48, { fit: 'fill' }).raw().toBuffer();
    expect(corners(pixels, 48, 48, 4)).toEqual(corners(upright, 48, 48, 4));
    const turned = orientation >= 5;
    expect(placement).toMatchObject({ sourceWidth: turned ? 64 : 96, sourceHeight: turned ? 96 : 64 });
  });

  test('EXIF orientation of a PNG and of a WebP is applied too', async () => {
    for (const format of ['png', 'webp'] as const) {
      const bytes = await quarters(96, 64).withMetadata({ orientation: 6 }).toFormat(format).toBuffer();
      const { placement, pixels } = await fitToInput(pictureFrame(bytes), { width: 64, height: 96, fit: 'stretch' });
      expect(placement).toMatchObject({ sourceWidth: 64, sourceHeight: 96 });
      expect(corners(pixels, 64, 96, 4)).toEqual(['blue', 'red', 'white', 'green']);
    }
  });

  const kinds: [string, () => Promise<Buffer>, number[]][] = [
    ['16-bit RGB PNG', () => plain(32, 32, '#ff8000').removeAlpha().toColourspace('rgb16').png().toBuffer(), [255, 128, 0]],
    ['16-bit grey PNG', () => plain(32, 32, '#808080').removeAlpha().toColourspace('grey16').png().toBuffer(), [128, 128, 128]],
    ['grey JPEG', () => plain(32, 32, '#808080').removeAlpha().toColourspace('b-w').jpeg().toBuffer(), [128, 128, 128]],
    ['grey PNG', () => plain(32, 32, '#808080').removeAlpha().toColourspace('b-w').png().toBuffer(), [128, 128, 128]],
    ['CMYK JPEG', () => plain(32, 32, '#ff0000').removeAlpha().toColourspace('cmyk').jpeg().toBuffer(), [232, 0, 0]],
    ['palette PNG', () => plain(32, 32, '#00ff00').removeAlpha().png({ palette: true }).toBuffer(), [0, 255, 0]],
    ['half transparent PNG', () => plain(32, 32, { r: 255, g: 0, b: 0, alpha: 0.5 }).png().toBuffer(), [255, 127, 127]],
    [
      'transparent grey PNG',
      () => plain(32, 32, { r: 0, g: 0, b: 0, alpha: 0 }).toColourspace('b-w').png().toBuffer(),
      [255, 255, 255],
    ],
    [
      '16-bit TIFF',
      () => plain(32, 32, '#ff8000').removeAlpha().toColourspace('rgb16').tiff({ compression: 'deflate' }).toBuffer(),
      [255, 128, 0],
    ],
    ['lossless WebP', () => plain(32, 32, '#ff8000').webp({ lossless: true }).toBuffer(), [255, 128, 0]],
    ['AVIF', () => plain(64, 64, '#ff8000').avif({ effort: 0 }).toBuffer(), [255, 128, 0]],
  ];
  test.each(kinds)('%s becomes 8-bit RGB', async (_name, make, expected) => {
    const { pixels } = await fitToInput(pictureFrame(await make()), { width: 32, height: 32, fit: 'letterbox' });
    expect(pixels.length).toBe(32 * 32 * 3);
    const found = pixelAt(pixels, 32, 16, 16);
    // Lossy formats are near, not equal.
    for (const [channel, value] of expected.entries()) expect(Math.abs(found[channel]! - value)).toBeLessThan(6);
  });

  test('of an animation, the first picture is taken', async () => {
    const first = await plain(24, 24, '#ff0000').png().toBuffer();
    const second = await plain(24, 24, '#0000ff').png().toBuffer();
    const gif = await sharp([first, second], { join: { animated: true } })
      .gif()
      .toBuffer();
    expect((await sharp(gif).metadata()).pages).toBe(2);
    const { pixels, placement } = await fitToInput(pictureFrame(gif), { width: 24, height: 24, fit: 'letterbox' });
    expect(placement).toMatchObject({ sourceWidth: 24, sourceHeight: 24 });
    expect(colourAt(pixels, 24, 12, 12)).toBe('red');
  });

  test('raw frames of every channel order give the same RGB', async () => {
    const rgb = await quarters(32, 32).raw().toBuffer();
    const bgr = Buffer.from(rgb);
    for (let at = 0; at < bgr.length; at += 3) bgr.set([rgb[at + 2]!, rgb[at + 1]!, rgb[at]!], at);
    const rgba = await quarters(32, 32).ensureAlpha().raw().toBuffer();
    for (const [bytes, encoding] of [
      [rgb, 'rgb8'],
      [bgr, 'bgr8'],
      [rgba, 'rgba8'],
    ] as const) {
      const { pixels } = await fitToInput(makeFrame(bytes, encoding, 32, 32), { width: 16, height: 16, fit: 'letterbox' });
      expect(corners(pixels, 16, 16, 2)).toEqual(['red', 'green', 'blue', 'white']);
    }
    const mono = makeFrame(Buffer.alloc(32 * 32, 77), 'mono8', 32, 32);
    const { pixels } = await fitToInput(mono, { width: 16, height: 16, fit: 'letterbox' });
    expect(pixelAt(pixels, 16, 8, 8)).toEqual([77, 77, 77]);
  });

  test('a raw frame of the right size is copied, not handed out: frames on wires are shared', async () => {
    const bytes = await quarters(16, 16).raw().toBuffer();
    const { pixels } = await fitToInput(makeFrame(bytes, 'rgb8', 16, 16), { width: 16, height: 16, fit: 'letterbox' });
    pixels[0] = 1;
    expect(bytes[0]).toBe(255);
  });

  test('odd sizes land to the pixel where the placement says, also when the decoder shrinks while it loads', async () => {
    for (const [width, height] of [
      [1281, 721],
      [427, 640],
      [1999, 3],
      [5, 1777],
    ] as const) {
      const frame = pictureFrame(await noise(width, height).jpeg().toBuffer());
      const { pixels, placement } = await fitToInput(frame, { width: 320, height: 320, fit: 'letterbox' });
      const innerHeight = Math.round(height * placement.scaleY);
      expect(pixels.length).toBe(320 * 320 * 3);
      if (placement.offsetY > 0) {
        expect(pixelAt(pixels, 320, 160, placement.offsetY - 1)).toEqual([114, 114, 114]);
        expect(pixelAt(pixels, 320, 160, placement.offsetY + innerHeight)).toEqual([114, 114, 114]);
      }
    }
  });
});

describe('pictures that are refused', () => {
  const prepare = (bytes: Uint8Array) => fitToInput(pictureFrame(bytes), { width: 64, height: 64, fit: 'letterbox' });

  test('cut in the middle', async () => {
    for (const format of ['jpeg', 'png', 'webp', 'gif', 'tiff'] as const) {
      const whole = await noise(200, 200).toFormat(format).toBuffer();
      await expect(prepare(whole.subarray(0, whole.length / 2))).rejects.toMatchObject({ code: 'EDGE_IMAGE_TRUNCATED' });
    }
  });

  test('cut in the header', async () => {
    const whole = await noise(64, 64).jpeg().toBuffer();
    await expect(prepare(whole.subarray(0, 40))).rejects.toMatchObject({ code: 'EDGE_IMAGE_TRUNCATED' });
  });

  test('a decompression bomb, before a pixel is decoded', async () => {
    const bomb = await sharp({
      create: { width: 12_000, height: 12_000, channels: 3, background: '#000' },
      limitInputPixels: false,
    })
      .png({ compressionLevel: 9 })
      .toBuffer();
    expect(bomb.length).toBeLessThan(2_000_000);
    expect(() => pictureFrame(bomb)).toThrow(expect.objectContaining({ code: 'EDGE_IMAGE_TOO_LARGE' }));
    // The same where no header was read on the way in: the decoder's own limit holds.
    await expect(fitToInput(makeFrame(bomb, 'png'), { width: 8, height: 8, fit: 'letterbox' })).rejects.toMatchObject({
      code: 'EDGE_IMAGE_TOO_LARGE',
    });
  });

  test('a JPEG whose header promises more than it holds is filled, never read past its end', async () => {
    const jpeg = await noise(64, 64).jpeg().toBuffer();
    const at = jpeg.indexOf(Buffer.from([0xff, 0xc0])) + 5;
    jpeg.writeUInt16BE(7000, at);
    jpeg.writeUInt16BE(7000, at + 2);
    const { pixels } = await prepare(jpeg);
    expect(pixels.length).toBe(64 * 64 * 3);
  });
});
