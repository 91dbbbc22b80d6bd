import type { Box, Point } from '../message/results';

/** How a picture is fitted into a model's input. `letterbox` keeps the aspect ratio and pads, `stretch` does not, `cover` crops. */
export type Fit = 'letterbox' | 'stretch' | 'cover';

/** Where the source picture lies inside the model input: input = source * scale + offset, in pixels, per axis. */
export interface Placement {
  sourceWidth: number;
  sourceHeight: number;
  scaleX: number;
  scaleY: number;
  offsetX: number;
  offsetY: number;
}

/**
 * @param anchor where the picture lies inside the padding: 'centre' (Ultralytics) or 'start' (upper left, YOLOX).
 */
export function place(
  source: { width: number; height: number },
  target: { width: number; height: number },
  fit: Fit,
  anchor: 'centre' | 'start' = 'centre',
): Placement {
  const { width: sourceWidth, height: sourceHeight } = source;
  if (fit === 'stretch') {
    return {
      sourceWidth,
      sourceHeight,
      scaleX: target.width / sourceWidth,
      scaleY: target.height / sourceHeight,
      offsetX: 0,
      offsetY: 0,
    };
  }
  const choose = fit === 'letterbox' ? Math.min : Math.max;
  const scale = choose(target.width / sourceWidth, target.height / sourceHeight);
  // Whole pixels, as the resampler makes them; the scale per axis then says exactly what it did.
  const width = Math.max(1, Math.round(sourceWidth * scale));
  const height = Math.max(1, Math.round(sourceHeight * scale));
  return {
    sourceWidth,
    sourceHeight,
    scaleX: width / sourceWidth,
    scaleY: height / sourceHeight,
    offsetX: anchor === 'centre' ? Math.floor((target.width - width) / 2) : 0,
    offsetY: anchor === 'centre' ? Math.floor((target.height - height) / 2) : 0,
  };
}

/** A box of the model input, in the source picture, cut at its edges. Null when nothing of it lies inside. */
export function boxToSource(box: Box, at: Placement): Box | null {
  const left = clamp((box.x - at.offsetX) / at.scaleX, at.sourceWidth);
  const top = clamp((box.y - at.offsetY) / at.scaleY, at.sourceHeight);
  const right = clamp((box.x + box.width - at.offsetX) / at.scaleX, at.sourceWidth);
  const bottom = clamp((box.y + box.height - at.offsetY) / at.scaleY, at.sourceHeight);
  return right > left && bottom > top ? { x: left, y: top, width: right - left, height: bottom - top } : null;
}

export function pointToSource(point: Point, at: Placement): Point {
  return { x: (point.x - at.offsetX) / at.scaleX, y: (point.y - at.offsetY) / at.scaleY };
}

function clamp(value: number, most: number): number {
  return Math.min(Math.max(value, 0), most);
}
