import type { Box } from '../../core/message/results';
import { intersectionOverUnion } from '../../core/vision/box';

export { intersectionOverUnion };

/** One object in one picture, as annotated. Boxes in pixels. */
export interface GroundTruth {
  image: number;
  classIndex: number;
  box: Box;
}

export interface ScoredBox extends GroundTruth {
  score: number;
}

export interface AveragePrecision {
  /** Mean over IoU 0.50, 0.55 .. 0.95 and over the classes that occur in the ground truth. */
  ap: number;
  /** At IoU 0.50. */
  ap50: number;
  classes: number;
}

const THRESHOLDS = Array.from({ length: 10 }, (_, step) => 0.5 + step * 0.05);
const RECALLS = Array.from({ length: 101 }, (_, step) => step / 100);
const MOST_PER_IMAGE = 100;

/**
 * COCO's average precision (cocodataset.org, "Detection Evaluation"; the matching of pycocotools' COCOeval) for all areas and
 * 100 detections per picture, without crowd annotations: detections by score, each takes the free object of its class and
 * picture that it overlaps most; precision made monotone and read at 101 recalls.
 */
export function averagePrecision(truth: readonly GroundTruth[], found: readonly ScoredBox[]): AveragePrecision {
  const kept = limitPerImage(found);
  const truthByClass = groupBy(truth, (object) => object.classIndex);
  const foundByClass = groupBy(kept, (detection) => detection.classIndex);
  let sum = 0;
  let sum50 = 0;
  for (const [classIndex, objects] of truthByClass) {
    const detections = [...(foundByClass.get(classIndex) ?? [])].sort((a, b) => b.score - a.score);
    const precisions = THRESHOLDS.map((threshold) => precisionOf(objects, detections, threshold));
    sum += mean(precisions);
    sum50 += precisions[0]!;
  }
  const classes = truthByClass.size;
  return classes === 0 ? { ap: 0, ap50: 0, classes } : { ap: sum / classes, ap50: sum50 / classes, classes };
}

/** @param detections of one class, best first. */
function precisionOf(objects: readonly GroundTruth[], detections: readonly ScoredBox[], threshold: number): number {
  const byImage = groupBy(objects, (object) => object.image);
  const taken = new Set<GroundTruth>();
  const precision: number[] = [];
  const recall: number[] = [];
  let right = 0;
  detections.forEach((detection, index) => {
    let best: GroundTruth | undefined;
    let overlap = threshold;
    for (const object of byImage.get(detection.image) ?? []) {
      if (taken.has(object)) continue;
      const iou = intersectionOverUnion(object.box, detection.box);
      if (iou < overlap) continue;
      overlap = iou;
      best = object;
    }
    if (best) {
      taken.add(best);
      right += 1;
    }
    precision.push(right / (index + 1));
    recall.push(right / objects.length);
  });
  for (let index = precision.length - 2; index >= 0; index--) {
    precision[index] = Math.max(precision[index]!, precision[index + 1]!);
  }
  let at = 0;
  return mean(
    RECALLS.map((wanted) => {
      while (at < recall.length && recall[at]! < wanted) at += 1;
      return precision[at] ?? 0;
    }),
  );
}

function limitPerImage(found: readonly ScoredBox[]): ScoredBox[] {
  return [...groupBy(found, (detection) => detection.image).values()].flatMap((detections) =>
    [...detections].sort((a, b) => b.score - a.score).slice(0, MOST_PER_IMAGE),
  );
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => number): Map<number, T[]> {
  const groups = new Map<number, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group) group.push(item);
    else groups.set(keyOf(item), [item]);
  }
  return groups;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
