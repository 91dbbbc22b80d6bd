import { Candidates } from '../../../core/vision/candidates';
import { MOST_CANDIDATES, suppress } from '../../../core/vision/suppression';

/** Boxes as [left, top, right, bottom, score, class]. */
function candidates(...boxes: [number, number, number, number, number, number][]): Candidates {
  const list = new Candidates();
  for (const [anchor, [left, top, right, bottom, score, classIndex]] of boxes.entries()) {
    list.add(left, top, right, bottom, score, classIndex, anchor);
  }
  return list;
}

const settings = { iouThreshold: 0.5, maxDetections: 100 };

describe('non-maximum suppression', () => {
  it('keeps the best of overlapping boxes of one class, best first', () => {
    const list = candidates([0, 0, 10, 10, 0.6, 1], [1, 0, 11, 10, 0.9, 1], [50, 50, 60, 60, 0.7, 1]);
    expect(suppress(list, settings)).toEqual([1, 2]);
  });

  it('keeps overlapping boxes of different classes, unless it is asked to ignore classes', () => {
    const list = candidates([0, 0, 10, 10, 0.6, 1], [0, 0, 10, 10, 0.9, 2]);
    expect(suppress(list, settings)).toEqual([1, 0]);
    expect(suppress(list, { ...settings, classAgnostic: true })).toEqual([1]);
  });

  it('suppresses only above the threshold: half of the union shared is kept at 0.5', () => {
    // 10x10 and a 10x5 inside it share 50 of 100.
    const list = candidates([0, 0, 10, 10, 0.9, 0], [0, 0, 10, 5, 0.8, 0]);
    expect(suppress(list, settings)).toEqual([0, 1]);
    expect(suppress(list, { ...settings, iouThreshold: 0.49 })).toEqual([0]);
  });

  it('does not let a suppressed box suppress others', () => {
    const list = candidates([0, 0, 10, 10, 0.9, 0], [4, 0, 14, 10, 0.8, 0], [8, 0, 18, 10, 0.7, 0]);
    expect(suppress(list, { ...settings, iouThreshold: 0.3 })).toEqual([0, 2]);
  });

  it('gives no more than asked, and breaks ties by anchor', () => {
    const list = candidates([0, 0, 1, 1, 0.5, 0], [5, 5, 6, 6, 0.5, 0], [9, 9, 10, 10, 0.5, 0]);
    expect(suppress(list, { ...settings, maxDetections: 2 })).toEqual([0, 1]);
  });

  it('compares a bounded number of boxes and drops the weakest beyond it', () => {
    const list = new Candidates();
    const count = 3 * MOST_CANDIDATES;
    for (let i = 0; i < count; i++) list.add(i * 10, 0, i * 10 + 5, 5, (i + 1) / count, 0, i);
    const kept = suppress(list, { iouThreshold: 0.5, maxDetections: count });
    expect(kept).toHaveLength(MOST_CANDIDATES);
    expect(kept[0]).toBe(count - 1);
    expect(kept.at(-1)).toBe(count - MOST_CANDIDATES);
  });

  it('leaves out boxes without an area and refuses NaN and infinity', () => {
    const list = candidates([5, 5, 5, 9, 0.9, 0], [9, 0, 3, 4, 0.9, 0]);
    expect(list.length).toBe(0);
    for (const [right, score] of [
      [Number.NaN, 0.5],
      [Infinity, 0.5],
      [10, Number.NaN],
      [10, Infinity],
    ] as const) {
      expect(() => list.add(0, 0, right, 10, score, 0, 0)).toThrow(
        expect.objectContaining({ code: 'EDGE_MODEL_OUTPUT_NOT_FINITE' }),
      );
    }
  });
});
