import type { Box } from '../../message/results';
import { clipBox } from '../box';

/** A picture must be this much better to take the place of the one that is kept: not every frame is written anew. */
const BETTER = 1.1;
/** What is cut off at the edge of the picture is worth so much of what is whole. */
const CUT_OFF = 0.5;

/**
 * How good a picture of an object is: the detector's score times the root of the share of the picture that it fills, so that an
 * object twice as wide and high counts twice; half of that where it is cut off at the edge.
 */
export function snapshotQuality(score: number, box: Box, image: { width: number; height: number }): number {
  const inside = clipBox(box, image);
  if (!inside || !(score > 0)) return 0;
  const quality = score * Math.sqrt((inside.width * inside.height) / (image.width * image.height));
  const [right, bottom] = [box.x + box.width, box.y + box.height];
  const cut = box.x <= 1 || box.y <= 1 || right >= image.width - 1 || bottom >= image.height - 1;
  return cut ? quality * CUT_OFF : quality;
}

export function isBetter(quality: number, than: number): boolean {
  return quality > than * BETTER;
}
