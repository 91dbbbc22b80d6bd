import { TrackerSet } from '../../../../core/vision/track';

const IMAGE = { width: 640, height: 480 };
const person = (x: number) => ({ label: 'person', score: 0.9, box: { x, y: 100, width: 40, height: 100 } });

describe('trackers of several sources', () => {
  it('keeps cameras apart: each has its own objects, numbers and time', () => {
    const set = new TrackerSet();
    for (let frame = 0; frame < 5; frame++) {
      const gate = set.of('gate').update([person(50)], IMAGE, frame * 100)!;
      const yard = set.of('yard').update([person(50), person(300)], IMAGE, 1_000_000 + frame * 100)!;
      if (frame === 0) continue;
      expect(gate.detections.map(({ trackId }) => trackId)).toEqual([1]);
      expect(yard.detections.map(({ trackId }) => trackId)).toEqual([1, 2]);
    }
  });

  it('finds a wrong setting when it is made, not at the first frame', () => {
    expect(() => new TrackerSet({ lostSeconds: Number.NaN })).toThrow('lostSeconds');
  });
});
