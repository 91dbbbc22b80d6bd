import type { Box } from '../message/results';

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

/** False for a box with NaN or infinity in it, or without an area. */
export function isBox(box: Box | undefined): box is Box {
  return (
    typeof box === 'object' &&
    box !== null &&
    Number.isFinite(box.x) &&
    Number.isFinite(box.y) &&
    box.width > 0 &&
    box.height > 0 &&
    box.width < Infinity &&
    box.height < Infinity
  );
}
