import sharp from 'sharp';
import { makeFrame } from '../../../../core/message/frame';
import { toGrey } from '../../../../core/vision/motion';

/** Left half red, right half white. */
const halves = Buffer.from(Array.from({ length: 96 * 64 }, (_, at) => (at % 96 < 48 ? [255, 0, 0] : [255, 255, 255])).flat());
/** Red's luminance, 0.2126, as sRGB has it. */
const RED = 127;

describe('the small grey picture', () => {
  it("is the same from JPEG, PNG and raw pixels, at the picture's proportions", async () => {
    const raw = { raw: { width: 96, height: 64, channels: 3 as const } };
    const frames = [
      makeFrame(Buffer.from(halves), 'rgb8', 96, 64),
      makeFrame(await sharp(halves, raw).png().toBuffer(), 'png'),
      makeFrame(await sharp(halves, raw).jpeg({ quality: 95 }).toBuffer(), 'jpeg'),
      makeFrame(await sharp(halves, raw).ensureAlpha().raw().toBuffer(), 'rgba8', 96, 64),
    ];
    for (const frame of frames) {
      const { pixels, width, height } = await toGrey(frame, 48);
      expect({ width, height, length: pixels.length }).toEqual({ width: 48, height: 32, length: 48 * 32 });
      expect(Math.abs(pixels[16 * 48 + 8]! - RED)).toBeLessThan(4);
      expect(pixels[16 * 48 + 40]!).toBeGreaterThan(250);
    }
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
