import sharp from 'sharp';
import { swapRedAndBlue } from '../../../../core/media/fit';
import { type Frame, makeFrame } from '../../../../core/message/frame';
import { toGrey } from '../../../../core/vision/motion';

/** Left half red, right half white. */
const halves = Buffer.from(Array.from({ length: 96 * 64 }, (_, at) => (at % 96 < 48 ? [255, 0, 0] : [255, 255, 255])).flat());
/** Red's luminance, 0.2126, as sRGB has it, where a picture is decoded; its luma where raw pixels are read. */
const RED = { compressed: 127, raw: 54 };

describe('the small grey picture', () => {
  it('is made of JPEG, PNG and raw pixels of any order, at the proportions of the picture', async () => {
    const raw = { raw: { width: 96, height: 64, channels: 3 as const } };
    const swapped = Buffer.from(halves);
    await swapRedAndBlue(swapped);
    const frames: [Frame, number][] = [
      [makeFrame(await sharp(halves, raw).png().toBuffer(), 'png'), RED.compressed],
      [makeFrame(await sharp(halves, raw).jpeg({ quality: 95 }).toBuffer(), 'jpeg'), RED.compressed],
      [makeFrame(Buffer.from(halves), 'rgb8', 96, 64), RED.raw],
      [makeFrame(swapped, 'bgr8', 96, 64), RED.raw],
      [makeFrame(await sharp(halves, raw).ensureAlpha().raw().toBuffer(), 'rgba8', 96, 64), RED.raw],
    ];
    for (const [frame, red] of frames) {
      const { pixels, width, height } = await toGrey(frame, 48);
      expect({ width, height, length: pixels.length }).toEqual({ width: 48, height: 32, length: 48 * 32 });
      expect(Math.abs(pixels[16 * 48 + 8]! - red)).toBeLessThan(4);
      expect(pixels[16 * 48 + 40]!).toBeGreaterThan(250);
    }
  });

  it('is the mean of four pixels where raw ones are many, and the nearest where they are few', async () => {
    const ramp = Uint8Array.from({ length: 40 * 20 }, (_, at) => (at % 40) * 6);
    const { pixels } = await toGrey(makeFrame(ramp, 'mono8', 40, 20), 4);
    // Cells of ten pixels: the third and the eighth are read.
    expect([...pixels.subarray(0, 4)]).toEqual([27, 87, 147, 207]);
    const { pixels: larger } = await toGrey(makeFrame(Uint8Array.of(10, 200), 'mono8', 2, 1), 4);
    expect([...larger.subarray(0, 4)]).toEqual([10, 10, 200, 200]);
  });

  it('takes grey pictures as they are', async () => {
    const bytes = new Uint8Array(64 * 48).fill(90);
    expect((await toGrey(makeFrame(bytes, 'mono8', 64, 48), 64)).pixels).toBe(bytes);
    const { pixels } = await toGrey(makeFrame(bytes, 'mono8', 64, 48), 32);
    expect(pixels.length).toBe(32 * 24);
    expect(pixels[100]).toBe(90);
  });

  it('says that a picture is damaged', async () => {
    const jpeg = await sharp({ create: { width: 200, height: 200, channels: 3, background: 'red' } })
      .jpeg()
      .toBuffer();
    const cut = makeFrame(jpeg.subarray(0, jpeg.length / 3), 'jpeg');
    await expect(toGrey(cut, 64)).rejects.toMatchObject({ code: 'EDGE_IMAGE_TRUNCATED' });
  });
});
