/** Costs of giving row `row` the column `column`, at `row * columns + column`. `Infinity` forbids the pair. */
export interface CostMatrix {
  rows: number;
  columns: number;
  costs: Float64Array;
}

/**
 * The assignment of rows to columns with the least total cost, where leaving a row alone costs `limit`: a pair dearer than `limit`
 * is never made, and two rows that want one column are settled for the good of all. Nothing is assumed of the shape.
 *
 * Successive shortest augmenting paths with dual variables (Kuhn 1955 in the form of Jonker and Volgenant 1987, "A shortest
 * augmenting path algorithm for dense and sparse linear assignment problems", Computing 38). The column "nobody" that each row has
 * for itself is never stored: no other row can take it, so a path that meets a row may always end there. O(rows² · columns) at
 * worst, rows · columns where few want the same.
 *
 * @param limit finite.
 * @returns the column of each row, -1 for none.
 */
export function assign({ rows, columns, costs }: CostMatrix, limit: number): Int32Array {
  const columnOf = new Int32Array(rows).fill(-1);
  const rowOf = new Int32Array(columns).fill(-1);
  const rowPrice = new Float64Array(rows);
  const columnPrice = new Float64Array(columns);
  const distance = new Float64Array(columns);
  const before = new Int32Array(columns);
  const settled = new Uint8Array(columns);
  const reached = new Int32Array(columns);

  for (let start = 0; start < rows; start++) {
    distance.fill(Infinity);
    settled.fill(0);
    let reachedCount = 0;
    let row = start;
    let length = 0;
    // The cheapest end so far: "nobody" of one of the rows that the search has met.
    let endRow = start;
    let endLength = Infinity;
    let endColumn = -1;
    for (;;) {
      const leave = length + limit - rowPrice[row]!;
      if (leave < endLength) {
        endLength = leave;
        endRow = row;
      }
      const base = row * columns;
      const offset = length - rowPrice[row]!;
      let nearest = -1;
      let nearestLength = endLength;
      for (let column = 0; column < columns; column++) {
        if (settled[column]) continue;
        const there = offset + costs[base + column]! - columnPrice[column]!;
        if (there < distance[column]!) {
          distance[column] = there;
          before[column] = row;
        }
        if (distance[column]! < nearestLength) {
          nearestLength = distance[column]!;
          nearest = column;
        }
      }
      if (nearest < 0) break;
      settled[nearest] = 1;
      if (rowOf[nearest]! < 0) {
        endLength = nearestLength;
        endColumn = nearest;
        break;
      }
      reached[reachedCount++] = nearest;
      row = rowOf[nearest]!;
      length = nearestLength;
    }
    // Prices change by what the search found shorter than its end, so that every pair on a cheapest path costs nothing.
    rowPrice[start]! += endLength;
    for (let index = 0; index < reachedCount; index++) {
      const column = reached[index]!;
      const shorter = endLength - distance[column]!;
      rowPrice[rowOf[column]!]! += shorter;
      columnPrice[column]! -= shorter;
    }
    // The path is walked back from its end: each row on it takes over the column by which it was reached.
    let column = endColumn;
    if (column < 0) {
      column = columnOf[endRow]!;
      columnOf[endRow] = -1;
      if (endRow === start) continue;
    }
    for (;;) {
      const taker = before[column]!;
      const given = columnOf[taker]!;
      columnOf[taker] = column;
      rowOf[column] = taker;
      if (taker === start) break;
      column = given;
    }
  }
  return columnOf;
}
