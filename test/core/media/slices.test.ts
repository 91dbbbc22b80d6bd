import { pictureFrame } from '../../../core/media/image-input';
import { prepareFrame } from '../../../core/media/prepare';
import { inSlices, SLICE } from '../../../core/media/slices';
import { frameBytes } from '../../../core/message/frame';
import { noise } from './pictures';

describe('a long loop in slices', () => {
  test('covers every element once, in order, and lets the event loop turn between two slices', async () => {
    const slices: [number, number][] = [];
    const heard: number[] = [];
    await inSlices(
      25,
      (start, end) => {
        slices.push([start, end]);
        setImmediate(() => heard.push(slices.length));
      },
      10,
    );
    expect(slices).toEqual([
      [0, 10],
      [10, 20],
      [20, 25],
    ]);
    expect(heard).toEqual([1, 2]);
  });

  test('nothing at all is no work', async () => {
    const work = jest.fn();
    await inSlices(0, work);
    expect(work).not.toHaveBeenCalled();
  });

  test('pixels and the bars of a letterbox are the same on both sides of a slice', async () => {
    const [width, height] = [700, 400];
    expect(width * height).toBeGreaterThan(SLICE * 2);
    const picture = pictureFrame(await noise(width, height).png().toBuffer());
    const rgb = frameBytes(await prepareFrame(picture, {}));
    const bgr = frameBytes(await prepareFrame(picture, { colours: 'bgr' }));
    const swapped = Buffer.from(bgr);
    for (let at = 0; at < swapped.length; at += 3) [swapped[at], swapped[at + 2]] = [swapped[at + 2]!, swapped[at]!];
    expect(swapped.equals(rgb)).toBe(true);

    const side = 1000;
    const resize = { width: side, height: side, fit: 'letterbox', padding: 9 } as const;
    const whole = await prepareFrame(picture, { resize });
    const inner = await prepareFrame(whole, { crop: { unit: 'pixels', x: 0, y: 214, width: side, height: 571 } });
    const plain = await prepareFrame(picture, { resize: { width: side, height: 571, fit: 'stretch' } });
    expect(Buffer.compare(frameBytes(inner), frameBytes(plain))).toBe(0);
    const bytes = frameBytes(whole);
    expect(bytes.subarray(0, 214 * side * 3).every((value) => value === 9)).toBe(true);
    expect(bytes.subarray(785 * side * 3).every((value) => value === 9)).toBe(true);
  });
});
