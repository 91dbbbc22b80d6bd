import { clipBox, intersectionOverUnion, isBox, isDetection } from '../../../core/vision/box';

const box = (x: number, y: number, width = 10, height = 10) => ({ x, y, width, height });

describe('boxes', () => {
  it('overlap by the share of their union', () => {
    expect(intersectionOverUnion(box(0, 0), box(5, 0))).toBeCloseTo(1 / 3, 10);
    expect(intersectionOverUnion(box(0, 0), box(0, 0))).toBe(1);
    expect(intersectionOverUnion(box(0, 0), box(10, 0))).toBe(0);
  });

  it('are cut at the edges of the picture', () => {
    const image = { width: 20, height: 20 };
    expect(clipBox(box(-4, 15), image)).toEqual({ x: 0, y: 15, width: 6, height: 5 });
    expect(clipBox(box(20, 0), image)).toBeNull();
    expect(clipBox(box(5, 5), image)).toEqual(box(5, 5));
  });

  it('have an area and no NaN', () => {
    expect(isBox(box(1, 2))).toBe(true);
    for (const wrong of [
      undefined,
      null,
      box(Number.NaN, 0),
      box(0, 0, 0),
      box(0, 0, 5, -1),
      box(0, 0, Infinity),
      box(1e300, 0),
      box(0, 0, 1e300),
      {},
      'box',
      { x: '0', y: 0, width: 1, height: 1 },
    ]) {
      expect(isBox(wrong as never)).toBe(false);
    }
  });

  it('belong to a detection only with a label and a score', () => {
    const person = { label: 'person', score: 0.5, box: box(1, 2) };
    expect(isDetection(person)).toBe(true);
    const wrong = [null, undefined, 5, {}, { ...person, label: 7 }, { ...person, score: Number.NaN }, { ...person, score: 2 }];
    for (const value of [...wrong, { ...person, box: null }]) expect(isDetection(value)).toBe(false);
  });
});
