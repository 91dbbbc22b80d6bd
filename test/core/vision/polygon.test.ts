import { checkPolygon, crossing, distanceToSegment, distanceToSides, isInside } from '../../../core/vision/polygon';

const points = (...pairs: [number, number][]) => pairs.map(([x, y]) => ({ x, y }));
const square = points([0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8]);
const faultOf = (polygon: unknown): string => {
  try {
    checkPolygon('yard', polygon);
  } catch (thrown) {
    expect(thrown).toMatchObject({ code: 'EDGE_ZONE_SHAPE' });
    return (thrown as Error).message;
  }
  return '';
};

describe('a polygon', () => {
  it('may be convex, concave, a triangle, or touch the edges of the picture', () => {
    const concave = points([0, 0], [1, 0], [1, 1], [0.5, 0.3], [0, 1]);
    for (const good of [square, [...square].reverse(), square.slice(0, 3), concave]) expect(faultOf(good)).toBe('');
  });

  it('is refused, by name, where its sides cross: a bow tie', () => {
    const tie = points([0.2, 0.2], [0.8, 0.8], [0.8, 0.2], [0.2, 0.8]);
    expect(faultOf(tie)).toContain('"yard" crosses itself: side 1 meets side 3');
  });

  it('is refused where a corner touches another side, or a side lies on another', () => {
    expect(faultOf(points([0, 0], [1, 0], [1, 1], [0.5, 0], [0, 1]))).toContain('crosses itself');
    expect(faultOf(points([0, 0], [0.8, 0], [0.4, 0], [0.4, 0.5]))).toContain('crosses itself');
    expect(faultOf(points([0, 0], [0.5, 0.5], [0, 0], [0, 0.5]))).toContain('crosses itself');
  });

  it('is refused with too few or too many corners, a corner twice, no area, or a corner outside the picture', () => {
    expect(faultOf(square.slice(0, 2))).toContain('3 to 100 corners');
    expect(faultOf(Array.from({ length: 101 }, (_, i) => ({ x: i / 101, y: (i / 101) ** 2 })))).toContain('3 to 100 corners');
    expect(faultOf([square[0], square[0], ...square.slice(1)])).toContain('twice');
    expect(faultOf(points([0, 0], [0.5, 0.5], [1, 1]))).not.toBe('');
    for (const corner of [{ x: 1.2, y: 0 }, { x: Number.NaN, y: 0 }, { x: '0.1', y: 0 }, null, {}]) {
      expect(faultOf([...square.slice(0, 2), corner])).toContain('outside the picture');
    }
    expect(faultOf('a square')).not.toBe('');
  });

  it('knows what is inside, in concave corners too', () => {
    const horseshoe = points([0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.6, 0.9], [0.6, 0.4], [0.4, 0.4], [0.4, 0.9], [0.1, 0.9]);
    expect(isInside({ x: 0.2, y: 0.8 }, horseshoe)).toBe(true);
    expect(isInside({ x: 0.8, y: 0.8 }, horseshoe)).toBe(true);
    expect(isInside({ x: 0.5, y: 0.8 }, horseshoe)).toBe(false);
    expect(isInside({ x: 0.5, y: 0.2 }, horseshoe)).toBe(true);
    expect(isInside({ x: 0.95, y: 0.5 }, horseshoe)).toBe(false);
  });

  it('knows how far its sides are, in a picture that is wider than high', () => {
    const scale = { x: 16 / 9, y: 1 };
    expect(distanceToSides({ x: 0.1, y: 0.5 }, square, scale)).toBeCloseTo((0.1 * 16) / 9, 10);
    expect(distanceToSegment({ x: 0, y: 0 }, { x: 0.3, y: 0.4 }, { x: 0.9, y: 1 }, { x: 1, y: 1 })).toBeCloseTo(0.5, 10);
  });
});

describe('the crossing of a line', () => {
  // Drawn upwards through the middle: its right is the right of the picture.
  const [from, to] = points([0.5, 0.9], [0.5, 0.1]) as [{ x: number; y: number }, { x: number; y: number }];
  const step = (x1: number, x2: number, y = 0.5) => crossing({ x: x1, y }, { x: x2, y }, from, to);

  it('has a direction: forwards is from left to right of the way the line was drawn', () => {
    expect(step(0.4, 0.6)).toBe(1);
    expect(step(0.6, 0.4)).toBe(-1);
    expect(step(0.6, 0.9)).toBe(0);
  });

  it('is none beyond the ends of the line', () => {
    expect(step(0.4, 0.6, 0.05)).toBe(0);
    expect(step(0.4, 0.6, 0.95)).toBe(0);
  });

  it('is one, not two or none, where a step ends on the line', () => {
    expect(step(0.4, 0.5) + step(0.5, 0.6)).toBe(1);
    expect(step(0.6, 0.5) + step(0.5, 0.4)).toBe(-1);
    expect(step(0.4, 0.5) + step(0.5, 0.4)).toBe(0);
    expect(step(0.6, 0.5) + step(0.5, 0.6)).toBe(0);
  });

  it('adds up to the difference of sides over any walk, for lines in any direction', () => {
    let state = 5;
    const next = () => {
      state = (state * 1664525 + 1013904223) >>> 0;
      return state / 2 ** 32;
    };
    for (let round = 0; round < 200; round++) {
      const [a, b] = [
        { x: next(), y: next() },
        { x: next(), y: next() },
      ];
      // A closed walk crosses the line as often one way as the other.
      const walk = Array.from({ length: 12 }, () => ({ x: 0.4 + 0.2 * next(), y: 0.4 + 0.2 * next() }));
      const far = { a: { x: a.x * 20 - 10, y: a.y * 20 - 10 }, b: { x: b.x * 20 - 10, y: b.y * 20 - 10 } };
      const sum = walk.reduce((total, point, i) => total + crossing(point, walk[(i + 1) % walk.length]!, far.a, far.b), 0);
      expect(sum).toBe(0);
    }
  });
});
