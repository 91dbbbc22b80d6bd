/** Elements that one turn of the event loop may touch: well under a millisecond, also where their memory is touched first. */
export const SLICE = 2 ** 17;

/** Go over `count` elements a slice at a time, and let the event loop turn between two: nothing of ours may hold it for 5 ms. */
export async function inSlices(count: number, work: (start: number, end: number) => void, slice = SLICE): Promise<void> {
  for (let start = 0; start < count; start += slice) {
    if (start > 0) await new Promise<void>((resolve) => setImmediate(resolve));
    work(start, Math.min(count, start + slice));
  }
}
