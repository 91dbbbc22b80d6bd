import { iouTracker } from '../../bench/support/iou-tracker';

const found = (x: number, score = 0.9) => ({ score, box: { x, y: 0, width: 100, height: 100 } });
const settings = { lowScore: 0.3, highScore: 0.8, overlap: 0.3, leastFrames: 2 };
const ids = (frames: { box: { x: number; y: number; width: number; height: number }; score: number }[][]) =>
  iouTracker(frames, settings).map(({ frame, id }) => `${frame}:${id}`);

describe('the IoU tracker of Bochinski et al.', () => {
  it('carries a track on by overlap alone', () => {
    expect(ids([[found(0)], [found(20)], [found(40)]])).toEqual(['0:1', '1:1', '2:1']);
  });

  it('ends a track at the first frame without a box, and begins another', () => {
    expect(ids([[found(0)], [found(0)], [], [found(0)], [found(0)]])).toEqual(['0:1', '1:1', '3:2', '4:2']);
  });

  it('gives a track the box that overlaps it most', () => {
    expect(ids([[found(0)], [found(30), found(10)], [found(12)]])).toEqual(['0:1', '1:1', '2:1']);
  });

  it('drops what was short or never sure, when all is over', () => {
    expect(ids([[found(0, 0.5)], [found(0, 0.5)]])).toEqual([]);
    expect(ids([[found(0)], []])).toEqual([]);
    expect(ids([[found(0, 0.2)], [found(0, 0.2)]])).toEqual([]);
  });
});
