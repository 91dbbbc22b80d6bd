import { type ClassGrid, cellsOf, MOST_RUNS, maskOf, sharesOf } from '../../../core/vision/class-mask';

const grid = (...rows: number[][]): ClassGrid => ({
  data: Uint8Array.from(rows.flat()),
  width: rows[0]!.length,
  height: rows.length,
});
const whole = ({ width, height }: ClassGrid) => ({ left: 0, top: 0, width, height });

describe('the shares of classes', () => {
  const cells = grid([0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 2, 2], [9, 9, 9, 9]);

  it('are parts of the whole area', () => {
    expect([...sharesOf(cells, whole(cells)).slice(0, 3)]).toEqual([0.25, 0.25, 0.25]);
  });

  it("leave a letterbox's bars out", () => {
    const shares = sharesOf(cells, { left: 0, top: 0, width: 4, height: 3 });
    expect(shares[0]).toBeCloseTo(1 / 3);
    expect(shares[9]).toBe(0);
    // A row counts where its middle lies inside.
    expect(sharesOf(cells, { left: 0, top: 0.4, width: 4, height: 2.2 })[2]).toBeCloseTo(1 / 3);
    expect(sharesOf(cells, { left: 0, top: 0.6, width: 4, height: 2.2 })[0]).toBe(0.25);
  });

  it('of nothing are nothing', () => {
    expect(sharesOf(cells, { left: 1, top: 1, width: 0, height: 0 }).every((share) => share === 0)).toBe(true);
  });
});

describe('a mask', () => {
  const cells = grid([0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 2, 2]);

  it('is runs that go on from row to row', () => {
    expect(maskOf(cells, whole(cells), { width: 4, height: 3 })).toEqual({
      width: 4,
      height: 3,
      encoding: 'runs',
      runs: [0, 2, 1, 2, 0, 2, 1, 2, 2, 4],
    });
    const plain = grid([7, 7, 7], [7, 7, 7]);
    expect(maskOf(plain, whole(plain), { width: 3, height: 2 }).runs).toEqual([7, 6]);
  });

  it('comes back as it was, at any size', () => {
    const small = maskOf(cells, whole(cells), { width: 2, height: 3 });
    expect([...cellsOf(small)]).toEqual([0, 1, 0, 1, 2, 2]);
    const large = maskOf(cells, whole(cells), { width: 8, height: 6 });
    expect([...cellsOf(large).slice(0, 8)]).toEqual([0, 0, 0, 0, 1, 1, 1, 1]);
    expect(cellsOf(large)).toHaveLength(48);
  });

  it('is of the region alone', () => {
    const region = { left: 2, top: 1, width: 2, height: 2 };
    expect([...cellsOf(maskOf(cells, region, { width: 2, height: 2 }))]).toEqual([1, 1, 2, 2]);
  });

  it('is halved until it is small, whatever the grid', () => {
    const noise: ClassGrid = { data: new Uint8Array(512 * 512), width: 512, height: 512 };
    for (let at = 0; at < noise.data.length; at++) noise.data[at] = (at * 7919) % 256;
    const mask = maskOf(noise, whole(noise), { width: 512, height: 512 });
    expect(mask.runs.length).toBeLessThanOrEqual(2 * MOST_RUNS);
    expect(mask.width).toBe(64);
    expect(mask.runs.filter((_, index) => index % 2 === 1).reduce((sum, length) => sum + length)).toBe(64 * 64);
  });
});
