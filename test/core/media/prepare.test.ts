import sharp from 'sharp';
import { pictureFrame } from '../../../core/media/image-input';
import { prepareFrame, prepareJpeg, prepareTensor, type TensorTarget } from '../../../core/media/prepare';
import { frameBytes, makeFrame } from '../../../core/message/frame';
import { tensorValue } from '../../../core/message/tensor';
import { colourAt, noise, pixelAt, quarters } from './pictures';

const target: TensorTarget = {
  width: 4,
  height: 2,
  layout: 'NCHW',
  colours: 'rgb',
  mean: [0],
  scale: [1],
  fit: 'stretch',
  type: 'float32',
};
/** Left half (200, 100, 50), right half (10, 20, 30). */
const twoHalves = () => {
  const pixels = Buffer.alloc(4 * 2 * 3);
  for (let at = 0; at < 8; at++) pixels.set(at % 4 < 2 ? [200, 100, 50] : [10, 20, 30], at * 3);
  return makeFrame(pixels, 'rgb8', 4, 2);
};
const tensor = async (more: Partial<TensorTarget>) =>
  tensorValue((await prepareTensor(twoHalves(), { ...target, ...more })).tensor);

describe('a picture as a tensor', () => {
  test('planes or interleaved, in the order of colours that the model has', async () => {
    const planar = await tensor({});
    expect(planar.shape).toEqual([1, 3, 2, 4]);
    expect([...(planar.data as Float32Array)].slice(0, 4)).toEqual([200, 200, 10, 10]);
    expect([...(planar.data as Float32Array)].slice(8, 12)).toEqual([100, 100, 20, 20]);
    const bgr = await tensor({ layout: 'NHWC', colours: 'bgr' });
    expect(bgr.shape).toEqual([1, 2, 4, 3]);
    expect([...(bgr.data as Float32Array)].slice(0, 3)).toEqual([50, 100, 200]);
  });

  test('(pixel - mean) * scale per channel in the order of the tensor', async () => {
    const { data } = await tensor({ colours: 'bgr', mean: [50, 90, 100], scale: [1, 0.5, 0.01] });
    expect((data as Float32Array)[0]).toBe(0);
    expect((data as Float32Array)[8]).toBe(5);
    expect((data as Float32Array)[16]).toBeCloseTo(1, 6);
  });

  test('uint8 is the pixels themselves, grey is one channel of luma', async () => {
    const bytes = await tensor({ type: 'uint8', layout: 'NHWC' });
    expect([...(bytes.data as Uint8Array)].slice(0, 6)).toEqual([200, 100, 50, 200, 100, 50]);
    const grey = await tensor({ colours: 'grey' });
    expect(grey.shape).toEqual([1, 1, 2, 4]);
    expect(Math.abs(Number((grey.data as Float32Array)[0]) - (0.299 * 200 + 0.587 * 100 + 0.114 * 50))).toBeLessThan(8);
  });

  test('a big one is right in every chunk', async () => {
    const frame = pictureFrame(await noise(900, 700).png().toBuffer());
    const big = { ...target, width: 900, height: 700, scale: [1 / 255] };
    const { tensor: made } = await prepareTensor(frame, big);
    const { data } = tensorValue(made);
    const raw = await sharp(frameBytes(frame)).raw().toBuffer();
    for (const pixel of [0, 1, 399_999, 400_000, 629_999]) {
      for (const channel of [0, 1, 2]) expect(data[channel * 630_000 + pixel]).toBeCloseTo(raw[pixel * 3 + channel]! / 255, 6);
    }
  });

  test('says where the picture lies, for boxes', async () => {
    const { placement } = await prepareTensor(twoHalves(), { ...target, width: 8, height: 8, fit: 'letterbox' });
    expect(placement).toMatchObject({ sourceWidth: 4, sourceHeight: 2, scaleX: 2, scaleY: 2, offsetX: 0, offsetY: 2 });
  });

  test('refuses to make more than may come in, before any memory is taken', async () => {
    await expect(tensor({ width: 16_384, height: 16_384 })).rejects.toMatchObject({ code: 'EDGE_IMAGE_TOO_LARGE' });
    const line = makeFrame(new Uint8Array(16_000 * 3), 'rgb8', 1, 16_000);
    for (const resize of [
      { width: 4000, fit: 'stretch' },
      { width: 4000, height: 4000, fit: 'cover' },
    ] as const) {
      await expect(prepareFrame(line, { resize })).rejects.toMatchObject({ code: 'EDGE_IMAGE_TOO_LARGE' });
    }
  });

  test('refuses two means for three channels', async () => {
    await expect(tensor({ mean: [1, 2] })).rejects.toMatchObject({ code: 'EDGE_SETTING' });
  });
});

describe('an edited picture', () => {
  test('crops in pixels and in shares, after turning it upright', async () => {
    const upright = pictureFrame(await quarters(80, 40).withMetadata({ orientation: 6 }).jpeg({ quality: 95 }).toBuffer());
    // Turned by a quarter: 40 wide, 80 high; blue is upper left.
    for (const crop of [
      { unit: 'pixels', x: 0, y: 0, width: 20, height: 40 },
      { unit: 'relative', x: 0, y: 0, width: 0.5, height: 0.5 },
    ] as const) {
      const frame = await prepareFrame(upright, { crop });
      expect(frame).toMatchObject({ width: 20, height: 40, encoding: 'rgb8' });
      expect(colourAt(frameBytes(frame), 20, 10, 20)).toBe('blue');
    }
  });

  test('a crop is cut at the edges, one outside is an error', async () => {
    const frame = pictureFrame(await quarters(80, 40).png().toBuffer());
    expect(await prepareFrame(frame, { crop: { unit: 'pixels', x: 60, y: 30, width: 500, height: 500 } })).toMatchObject({
      width: 20,
      height: 10,
    });
    await expect(prepareFrame(frame, { crop: { unit: 'pixels', x: 90, y: 0, width: 5, height: 5 } })).rejects.toMatchObject({
      code: 'EDGE_SETTING',
    });
  });

  test('resizes by one side, into a box, and never enlarges inside it', async () => {
    const frame = pictureFrame(await quarters(80, 40).png().toBuffer());
    expect(await prepareFrame(frame, { resize: { width: 20, fit: 'letterbox' } })).toMatchObject({ width: 20, height: 10 });
    expect(await prepareFrame(frame, { resize: { height: 80, fit: 'letterbox' } })).toMatchObject({ width: 160, height: 80 });
    expect(await prepareFrame(frame, { resize: { width: 30, height: 30, fit: 'inside' } })).toMatchObject({
      width: 30,
      height: 15,
    });
    expect(await prepareFrame(frame, { resize: { width: 300, height: 300, fit: 'inside' } })).toMatchObject({
      width: 80,
      height: 40,
    });
  });

  test('letterboxes a crop, in every order of colours', async () => {
    const frame = pictureFrame(await quarters(80, 40).png().toBuffer());
    const crop = { unit: 'relative', x: 0.5, y: 0, width: 0.5, height: 0.5 } as const;
    const resize = { width: 32, height: 32, fit: 'letterbox', padding: 9 } as const;
    const rgb = await prepareFrame(frame, { crop, resize });
    expect(colourAt(frameBytes(rgb), 32, 16, 16)).toBe('green');
    expect(pixelAt(frameBytes(rgb), 32, 16, 0)).toEqual([9, 9, 9]);
    const grey = await prepareFrame(frame, { crop, resize, colours: 'grey' });
    expect(grey).toMatchObject({ encoding: 'mono8', channels: 1 });
    const red = pictureFrame(await quarters(80, 40).png().toBuffer());
    expect(pixelAt(frameBytes(await prepareFrame(red, { colours: 'bgr' })), 80, 2, 2)).toEqual([0, 0, 255]);
  });

  test('as a JPEG for nodes of other palettes', async () => {
    const frame = pictureFrame(await quarters(80, 40).png().toBuffer());
    const cut = await prepareJpeg(frame, {
      crop: { unit: 'relative', x: 0, y: 0.5, width: 0.5, height: 0.5 },
      resize: { width: 20, fit: 'stretch' },
    });
    expect(Buffer.isBuffer(cut)).toBe(true);
    const { data, info } = await sharp(cut).raw().toBuffer({ resolveWithObject: true });
    expect(info).toMatchObject({ format: 'raw', width: 20, height: 10, channels: 3 });
    expect(colourAt(data, 20, 10, 5)).toBe('blue');
    const boxed = await prepareJpeg(frame, { resize: { width: 32, height: 32, fit: 'letterbox' }, colours: 'grey' });
    expect(await sharp(boxed).metadata()).toMatchObject({ width: 32, height: 32, channels: 1 });
    const raw = makeFrame(await quarters(8, 8).raw().toBuffer(), 'bgr8', 8, 8);
    const swapped = await sharp(await prepareJpeg(raw, { quality: 95 }))
      .raw()
      .toBuffer();
    expect(colourAt(swapped, 8, 1, 1)).toBe('blue');
  });

  test('damaged pictures are refused', async () => {
    const whole = await noise(100, 100).png().toBuffer();
    const frame = pictureFrame(whole.subarray(0, 3000));
    for (const attempt of [() => prepareFrame(frame, {}), () => prepareJpeg(frame, {}), () => prepareTensor(frame, target)]) {
      await expect(attempt()).rejects.toMatchObject({ code: 'EDGE_IMAGE_TRUNCATED' });
    }
  });
});
