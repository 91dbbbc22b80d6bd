import type { Candidates } from './candidates';

export interface SuppressionSettings {
  /** Intersection over union above which the weaker of two boxes is dropped, 0 to 1. */
  iouThreshold: number;
  maxDetections: number;
  /** True: boxes of different classes suppress each other too. False (default): only boxes of one class do. */
  classAgnostic?: boolean;
}

/** Most boxes that are compared with each other; beyond it the weakest are dropped, which bounds the time of one call. */
export const MOST_CANDIDATES = 1000;

/**
 * Greedy non-maximum suppression: the indices of the boxes that stay, best score first, equal scores in anchor order.
 * At most `maxDetections` of them; O(maxDetections x MOST_CANDIDATES) at worst.
 */
export function suppress(candidates: Candidates, settings: SuppressionSettings): number[] {
  const { left, top, right, bottom, classes } = candidates;
  const { iouThreshold, maxDetections, classAgnostic = false } = settings;
  const kept: number[] = [];
  for (const index of bestFirst(candidates)) {
    if (kept.length >= maxDetections) break;
    const area = (right[index]! - left[index]!) * (bottom[index]! - top[index]!);
    let stays = true;
    for (const other of kept) {
      if (!classAgnostic && classes[other] !== classes[index]) continue;
      const width = Math.min(right[index]!, right[other]!) - Math.max(left[index]!, left[other]!);
      const height = Math.min(bottom[index]!, bottom[other]!) - Math.max(top[index]!, top[other]!);
      if (width <= 0 || height <= 0) continue;
      const shared = width * height;
      const otherArea = (right[other]! - left[other]!) * (bottom[other]! - top[other]!);
      if (shared > iouThreshold * (area + otherArea - shared)) {
        stays = false;
        break;
      }
    }
    if (stays) kept.push(index);
  }
  return kept;
}

function bestFirst(candidates: Candidates): number[] {
  const { length, scores } = candidates;
  // A typed array sorts natively, many times faster than indices with a comparison function: find the cut first.
  const cut = length > MOST_CANDIDATES ? scores.slice(0, length).sort()[length - MOST_CANDIDATES]! : -Infinity;
  const order: number[] = [];
  for (let index = 0; index < length; index++) if (scores[index]! >= cut) order.push(index);
  order.sort((a, b) => scores[b]! - scores[a]! || a - b);
  if (order.length > MOST_CANDIDATES) order.length = MOST_CANDIDATES;
  return order;
}
