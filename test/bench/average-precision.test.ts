import { averagePrecision } from '../../bench/support/average-precision';

const box = (x: number, y: number, width = 10, height = 10) => ({ x, y, width, height });

describe('average precision as COCO defines it', () => {
  const truth = [
    { image: 0, classIndex: 3, box: box(0, 0) },
    { image: 1, classIndex: 3, box: box(50, 50) },
  ];

  it('is 1 for perfect detections and 0 for none', () => {
    const perfect = truth.map((object) => ({ ...object, score: 0.9 }));
    expect(averagePrecision(truth, perfect)).toEqual({ ap: 1, ap50: 1, classes: 1 });
    expect(averagePrecision(truth, [])).toEqual({ ap: 0, ap50: 0, classes: 1 });
    expect(averagePrecision([], perfect)).toEqual({ ap: 0, ap50: 0, classes: 0 });
  });

  it('reads precision at 101 recalls: one of two found without a mistake gives 51/101', () => {
    expect(averagePrecision(truth, [{ ...truth[0]!, score: 0.9 }]).ap).toBeCloseTo(51 / 101, 10);
  });

  it('counts a mistake before a hit: precision 1/2 up to recall 1/2', () => {
    const found = [
      { image: 0, classIndex: 3, box: box(80, 80), score: 0.95 },
      { ...truth[0]!, score: 0.9 },
    ];
    expect(averagePrecision(truth, found).ap).toBeCloseTo(51 / 101 / 2, 10);
  });

  it('makes precision monotone: a mistake between two hits costs only the recall behind it', () => {
    const found = [
      { ...truth[0]!, score: 0.9 },
      { image: 0, classIndex: 3, box: box(80, 80), score: 0.8 },
      { ...truth[1]!, score: 0.7 },
    ];
    expect(averagePrecision(truth, found).ap50).toBeCloseTo((51 + 50 * (2 / 3)) / 101, 10);
  });

  it('counts a second detection of one object as a mistake', () => {
    const found = [
      { ...truth[0]!, score: 0.9 },
      { ...truth[0]!, score: 0.8 },
      { ...truth[1]!, score: 0.7 },
    ];
    expect(averagePrecision(truth, found).ap50).toBeCloseTo((51 + 50 * (2 / 3)) / 101, 10);
  });

  it('asks for IoU 0.50 to 0.95: a box at IoU 0.7 counts for five of ten thresholds', () => {
    // 10x10 and the same cut to 10x7 share 70 of 100.
    const found = [{ image: 0, classIndex: 3, box: box(0, 0, 10, 7.0001), score: 0.9 }];
    const { ap, ap50 } = averagePrecision([truth[0]!], found);
    expect(ap50).toBe(1);
    expect(ap).toBeCloseTo(0.5, 10);
  });

  it('is the mean over classes that occur, whatever is found of others', () => {
    const two = [...truth, { image: 0, classIndex: 5, box: box(20, 20) }];
    const found = [...truth.map((object) => ({ ...object, score: 0.9 })), { image: 0, classIndex: 77, box: box(0, 0), score: 1 }];
    expect(averagePrecision(two, found)).toEqual({ ap: 0.5, ap50: 0.5, classes: 2 });
  });

  it('does not look across pictures or classes', () => {
    const found = [
      { image: 1, classIndex: 3, box: box(0, 0), score: 0.9 },
      { image: 0, classIndex: 4, box: box(0, 0), score: 0.9 },
    ];
    expect(averagePrecision(truth, found).ap).toBe(0);
  });

  it('takes the best 100 of a picture', () => {
    const noise = Array.from({ length: 100 }, (_, i) => ({ image: 0, classIndex: 9, box: box(i, 0), score: 0.9 }));
    expect(averagePrecision([truth[0]!], [...noise, { ...truth[0]!, score: 0.1 }]).ap).toBe(0);
  });
});
