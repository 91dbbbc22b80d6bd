import { motScores, parseGroundTruth, type TrackBox } from '../../bench/support/mot';

/** A box of 100 by 100 pixels. */
const at = (frame: number, id: number, x: number): TrackBox => ({ frame, id, box: { x, y: 0, width: 100, height: 100 } });
const track = (id: number, from: number, to: number, x = 0) =>
  Array.from({ length: to - from + 1 }, (_, index) => at(from + index, id, x));

describe('the scores of MOTChallenge', () => {
  it('are full for the truth itself, whatever its tracks are called', () => {
    const truth = [...track(1, 1, 10), ...track(2, 3, 8, 300)];
    const found = truth.map((box) => ({ ...box, id: box.id + 70 }));
    expect(motScores(truth, found)).toEqual({
      mota: 1,
      idf1: 1,
      idSwitches: 0,
      recall: 1,
      precision: 1,
      misses: 0,
      falsePositives: 0,
      objects: 16,
    });
  });

  it('count a track that breaks in two as one switch and half the identity', () => {
    const scores = motScores(track(1, 1, 10), [...track(7, 1, 5), ...track(8, 6, 10)]);
    expect(scores).toMatchObject({ idSwitches: 1, mota: 0.9, idf1: 0.5, recall: 1, precision: 1 });
  });

  it('count a switch over a gap, however long', () => {
    const scores = motScores(track(1, 1, 30), [...track(7, 1, 5), ...track(8, 25, 30)]);
    expect(scores).toMatchObject({ idSwitches: 1, misses: 19, falsePositives: 0 });
    expect(scores.mota).toBeCloseTo(1 - 20 / 30, 10);
    expect(scores.idf1).toBeCloseTo((2 * 6) / (30 + 11), 10);
  });

  it('count two who swap their tracks twice', () => {
    const truth = [...track(1, 1, 10), ...track(2, 1, 10, 300)];
    const found = [...track(7, 1, 6), ...track(8, 1, 6, 300), ...track(8, 7, 10), ...track(7, 7, 10, 300)];
    expect(motScores(truth, found)).toMatchObject({ idSwitches: 2, mota: 0.9, idf1: 0.6 });
  });

  it('count misses and false positives, below zero where there are more mistakes than objects', () => {
    const scores = motScores(track(1, 1, 4), [...track(7, 1, 2), ...track(8, 1, 4, 500), ...track(9, 1, 4, 900)]);
    expect(scores).toMatchObject({ misses: 2, falsePositives: 8, recall: 0.5, precision: 0.2, idSwitches: 0 });
    expect(scores.mota).toBe(1 - 10 / 4);
  });

  it('need an overlap of one half', () => {
    // 100 wide, moved by 33: 67 of 133 shared; by 34: 66 of 134.
    expect(motScores([at(1, 1, 0)], [at(1, 1, 33)]).recall).toBe(1);
    expect(motScores([at(1, 1, 0)], [at(1, 1, 34)]).recall).toBe(0);
  });

  it('keep a pair while it holds, though another would overlap more: the example of py-motmetrics', () => {
    // Objects a and b; tracks 1, 2, 3. Frame 1: a-1, b-2, and 3 is false. Frame 2: b is missed. Frame 3: a stays with 1, so b changes to 3.
    const truth = [at(1, 1, 0), at(1, 2, 300), at(2, 1, 0), at(2, 2, 300), at(3, 1, 0), at(3, 2, 30)];
    const found = [at(1, 1, 10), at(1, 2, 310), at(1, 3, 600), at(2, 1, 10), at(3, 1, 20), at(3, 3, 5)];
    const scores = motScores(truth, found);
    expect(scores).toMatchObject({ misses: 1, falsePositives: 1, idSwitches: 1, mota: 0.5 });
  });

  it('match as many as can be matched, not the best pair first', () => {
    // The best pair, object 2 with track 7, would leave object 1 and track 8 without one.
    const truth = [at(1, 1, 0), at(1, 2, 30)];
    const found = [at(1, 7, 28), at(1, 8, 60)];
    expect(motScores(truth, found)).toMatchObject({ misses: 0, falsePositives: 0 });
  });

  it('are nothing where nothing was found', () => {
    expect(motScores(track(1, 1, 3), [])).toMatchObject({ mota: 0, idf1: 0, recall: 0, precision: 0 });
  });

  it('count what is found in frames without objects as false', () => {
    expect(motScores(track(1, 1, 2), [...track(7, 1, 2), at(9, 7, 0)])).toMatchObject({ falsePositives: 1, mota: 0.5 });
  });
});

describe('a file of ground truth', () => {
  it('is read with what the benchmark does not consider marked', () => {
    const boxes = parseGroundTruth('1,9,499,158,31.03,75.17,1,-4.1,-7.3,0\n2,9,497,158,31.03,75.17,0,-4.1,-7.3,0\n\n');
    expect(boxes).toEqual([
      { frame: 1, id: 9, box: { x: 499, y: 158, width: 31.03, height: 75.17 }, considered: true },
      { frame: 2, id: 9, box: { x: 497, y: 158, width: 31.03, height: 75.17 }, considered: false },
    ]);
  });

  it('is refused at a line that is none', () => {
    expect(() => parseGroundTruth('1,9,499\n')).toThrow('line 1');
  });
});
