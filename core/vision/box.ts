import type { Box, Detection } from '../message/results';

/** Intersection over union, 0 to 1; 0 for boxes that only touch. */
export function intersectionOverUnion(a: Box, b: Box): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  if (width <= 0 || height <= 0) return 0;
  const shared = width * height;
  return shared / (a.width * a.height + b.width * b.height - shared);
}

/** What of a box lies inside the picture; null for nothing. */
export function clipBox(box: Box, image: { width: number; height: number }): Box | null {
  const left = Math.max(0, box.x);
  const top = Math.max(0, box.y);
  const width = Math.min(image.width, box.x + box.width) - left;
  const height = Math.min(image.height, box.y + box.height) - top;
  return width > 0 && height > 0 ? { x: left, y: top, width, height } : null;
}

/** Pixels; no picture is larger, and what is computed from boxes stays a number. */
const FARTHEST = 1_000_000;

/** False for what is no box: NaN or infinity in it, no area, or further away than any picture is large. */
export function isBox(box: unknown): box is Box {
  if (typeof box !== 'object' || box === null) return false;
  const { x, y, width, height } = box as Partial<Box>;
  return isWithin(x, -FARTHEST) && isWithin(y, -FARTHEST) && isWithin(width, 0) && isWithin(height, 0);
}

/** False for what is no detection: no label, no score from 0 to 1, no box. Data of other palettes is not what it is declared to be. */
export function isDetection(value: unknown): value is Detection {
  if (typeof value !== 'object' || value === null) return false;
  const { label, score, box } = value as Partial<Detection>;
  return typeof label === 'string' && typeof score === 'number' && score >= 0 && score <= 1 && isBox(box);
}

/** Numbers that other trackers give are taken as they are, as long as they are whole. */
export function isTrackId(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isWithin(value: unknown, above: number): boolean {
  return typeof value === 'number' && value > above && value < FARTHEST;
}
