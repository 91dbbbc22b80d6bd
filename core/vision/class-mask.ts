import type { ClassMask } from '../message/results';

/** Class numbers of a model's cells, row by row. */
export interface ClassGrid {
  data: Uint8Array;
  width: number;
  height: number;
}

/** Which part of a grid the picture fills, in cells; fractions count. */
export interface Region {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Most runs of a mask, about 40 kB of JSON: what is finer is halved until it fits. */
export const MOST_RUNS = 8192;

/** The part of the region's area that each class number takes, 0 to 1; cells count whose centre lies in the region. */
export function sharesOf({ data, width, height }: ClassGrid, region: Region): Float64Array {
  const counts = new Float64Array(256);
  const [left, right] = centres(region.left, region.width, width);
  const [top, bottom] = centres(region.top, region.height, height);
  for (let row = top; row < bottom; row++) {
    for (let at = row * width + left, end = row * width + right; at < end; at++) counts[data[at]!]! += 1;
  }
  const cells = (right - left) * (bottom - top);
  return cells > 0 ? counts.map((count) => count / cells) : counts;
}

/**
 * The region as a mask of at most `width` x `height` cells, each of the grid's cell at its centre. Halved until its runs are no
 * more than MOST_RUNS. A pass over the mask's cells, but for rows that come from one row of the grid.
 */
export function maskOf(grid: ClassGrid, region: Region, size: { width: number; height: number }): ClassMask {
  for (let { width, height } = size; ; width = half(width), height = half(height)) {
    const runs = runsOf(grid, region, width, height, width * height === 1 ? Infinity : 2 * MOST_RUNS);
    if (runs) return { width, height, encoding: 'runs', runs };
  }
}

/** The class number of every cell of a mask. */
export function cellsOf({ width, height, runs }: ClassMask): Uint8Array {
  const cells = new Uint8Array(width * height);
  for (let at = 0, from = 0; at + 1 < runs.length && from < cells.length; at += 2) {
    cells.fill(runs[at]!, from, from + runs[at + 1]!);
    from += runs[at + 1]!;
  }
  return cells;
}

function runsOf(grid: ClassGrid, region: Region, width: number, height: number, most: number): number[] | null {
  const columns = Int32Array.from({ length: width }, (_, x) =>
    cell(region.left + ((x + 0.5) * region.width) / width, grid.width),
  );
  const runs: number[] = [];
  const add = (value: number, length: number) => {
    if (runs[runs.length - 2] === value) runs[runs.length - 1]! += length;
    else runs.push(value, length);
  };
  let rowRuns: number[] = [];
  let from = -1;
  for (let y = 0; y < height; y++) {
    const row = cell(region.top + ((y + 0.5) * region.height) / height, grid.height);
    if (row !== from) rowRuns = runsOfRow(grid.data, row * grid.width, columns);
    from = row;
    for (let at = 0; at < rowRuns.length; at += 2) add(rowRuns[at]!, rowRuns[at + 1]!);
    if (runs.length > most) return null;
  }
  return runs;
}

function runsOfRow(data: Uint8Array, start: number, columns: Int32Array): number[] {
  const runs: number[] = [];
  let value = data[start + columns[0]!]!;
  let begun = 0;
  for (let x = 1; x < columns.length; x++) {
    const next = data[start + columns[x]!]!;
    if (next === value) continue;
    runs.push(value, x - begun);
    value = next;
    begun = x;
  }
  runs.push(value, columns.length - begun);
  return runs;
}

/** First and one behind the last whole number whose centre lies between. */
function centres(from: number, length: number, most: number): [number, number] {
  const bounded = (value: number) => Math.min(Math.max(Math.ceil(value - 0.5), 0), most);
  return [bounded(from), bounded(from + length)];
}

function cell(position: number, count: number): number {
  return Math.min(Math.max(Math.floor(position), 0), count - 1);
}

function half(side: number): number {
  return Math.max(1, Math.round(side / 2));
}
