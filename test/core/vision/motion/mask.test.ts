import { checkArea, drawArea } from '../../../../core/vision/motion/mask';
import { isInside } from '../../../../core/vision/polygon';

const points = (...pairs: [number, number][]) => pairs.map(([x, y]) => ({ x, y }));
const horseshoe = points([0.1, 0.1], [0.9, 0.13], [0.93, 0.9], [0.6, 0.87], [0.57, 0.4], [0.42, 0.43], [0.4, 0.9], [0.07, 0.88]);
const left = points([0, 0], [0.5, 0], [0.5, 1], [0, 1]);

describe('the watched area', () => {
  it('is the whole picture without regions and masks', () => {
    expect(drawArea({}, 8, 6)).toEqual({ counts: new Uint8Array(48).fill(1), pixels: 48 });
  });

  it('is what lies in a region, pixel by pixel, concave corners too', () => {
    const [width, height] = [64, 48];
    const { counts, pixels } = drawArea({ regions: [horseshoe] }, width, height);
    let inside = 0;
    for (let at = 0; at < counts.length; at++) {
      const point = { x: ((at % width) + 0.5) / width, y: (Math.floor(at / width) + 0.5) / height };
      expect(counts[at]).toBe(isInside(point, horseshoe) ? 1 : 0);
      inside += counts[at]!;
    }
    expect(pixels).toBe(inside);
  });

  it('is regions together, less the masks', () => {
    const right = points([0.5, 0], [1, 0], [1, 1], [0.5, 1]);
    const lower = points([0, 0.5], [1, 0.5], [1, 1], [0, 1]);
    expect(drawArea({ regions: [left, right] }, 8, 6).pixels).toBe(48);
    expect(drawArea({ regions: [left], masks: [lower] }, 8, 6).pixels).toBe(12);
    expect(drawArea({ masks: [left] }, 8, 6).pixels).toBe(24);
  });

  it('is refused where there are too many polygons', () => {
    expect(() => checkArea({ masks: Array(51).fill(left) })).toThrow(expect.objectContaining({ code: 'EDGE_SETTING' }));
  });
});
