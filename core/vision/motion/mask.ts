import { checkPolygon, isInside, type Polygon } from '../polygon';

export interface MotionArea {
  /** Only what lies in one of these counts; everything where there are none. */
  regions?: readonly Polygon[];
  /** What lies in one of these never counts: a road behind the fence, a tree, the camera's clock. */
  masks?: readonly Polygon[];
}

/** @throws EDGE_ZONE_SHAPE */
export function checkArea({ regions = [], masks = [] }: MotionArea): void {
  for (const [index, region] of regions.entries()) checkPolygon(`region ${index + 1}`, region);
  for (const [index, mask] of masks.entries()) checkPolygon(`mask ${index + 1}`, mask);
}

/** 1 for each pixel whose centre counts, and how many do. */
export function drawArea({ regions = [], masks = [] }: MotionArea, width: number, height: number) {
  const counts = new Uint8Array(width * height);
  let pixels = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const point = { x: (x + 0.5) / width, y: (y + 0.5) / height };
      const wanted = regions.length === 0 || regions.some((region) => isInside(point, region));
      if (!wanted || masks.some((mask) => isInside(point, mask))) continue;
      counts[y * width + x] = 1;
      pixels += 1;
    }
  }
  return { counts, pixels };
}
