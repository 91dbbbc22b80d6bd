import { assign } from '../../../../core/vision/track/assignment';

/** Numbers from 0 to 1 that are the same in every run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function total(costs: Float64Array, rows: number, columns: number, limit: number, columnOf: Int32Array): number {
  let sum = 0;
  for (let row = 0; row < rows; row++) sum += columnOf[row]! < 0 ? limit : costs[row * columns + columnOf[row]!]!;
  return sum;
}

/** Every way of giving rows different columns or none. */
function cheapest(costs: Float64Array, rows: number, columns: number, limit: number, row = 0, taken = 0): number {
  if (row === rows) return 0;
  let least = limit + cheapest(costs, rows, columns, limit, row + 1, taken);
  for (let column = 0; column < columns; column++) {
    if (taken & (1 << column)) continue;
    const rest = cheapest(costs, rows, columns, limit, row + 1, taken | (1 << column));
    least = Math.min(least, costs[row * columns + column]! + rest);
  }
  return least;
}

describe('assignment of rows to columns', () => {
  it('is as cheap as the best of all ways, for matrices of any shape, with forbidden pairs and ties', () => {
    const next = random(7);
    for (let round = 0; round < 600; round++) {
      const rows = 1 + Math.floor(next() * 6);
      const columns = 1 + Math.floor(next() * 6);
      const limit = next() < 0.5 ? 0.7 : 2;
      const costs = Float64Array.from({ length: rows * columns }, () => {
        const value = next();
        if (value < 0.25) return Infinity;
        return round % 2 ? value : Math.round(value * 4) / 4;
      });
      const columnOf = assign({ rows, columns, costs }, limit);
      expect(total(costs, rows, columns, limit, columnOf)).toBeCloseTo(cheapest(costs, rows, columns, limit), 9);
      const given = [...columnOf].filter((column) => column >= 0);
      expect(new Set(given).size).toBe(given.length);
    }
  });

  it('takes negative costs, as scores to be made great are given', () => {
    const costs = Float64Array.of(-5, -4, -4, -1);
    expect([...assign({ rows: 2, columns: 2, costs }, 0)]).toEqual([1, 0]);
  });

  it('settles for the good of all, not for the first', () => {
    // The first row alone would take column 0, and leave the second with nothing.
    const costs = Float64Array.of(0.1, 0.2, 0.15, Infinity);
    expect([...assign({ rows: 2, columns: 2, costs }, 0.9)]).toEqual([1, 0]);
  });

  it('leaves a row alone where its pair is dearer than the limit', () => {
    expect([...assign({ rows: 1, columns: 2, costs: Float64Array.of(0.8, 0.9) }, 0.5)]).toEqual([-1]);
  });

  it('gives up a dear pair so that two cheap rows need not share', () => {
    const costs = Float64Array.of(0.1, Infinity, 0.2, Infinity, 0.3, 0.3);
    const columnOf = assign({ rows: 3, columns: 2, costs }, 0.4);
    expect([...columnOf]).toEqual([0, -1, 1]);
  });

  it('knows nothing of rows without columns, or no rows', () => {
    expect([...assign({ rows: 2, columns: 0, costs: new Float64Array() }, 1)]).toEqual([-1, -1]);
    expect([...assign({ rows: 0, columns: 3, costs: new Float64Array() }, 1)]).toEqual([]);
  });

  it('never takes a pair whose cost is not a number', () => {
    expect([...assign({ rows: 1, columns: 2, costs: Float64Array.of(Number.NaN, 0.3) }, 1)]).toEqual([1]);
  });
});
