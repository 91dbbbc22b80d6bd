import { invalidSetting } from '../../errors';
import { checkPolygon, type Polygon } from '../polygon';

export interface MotionArea {
  /** Only what lies in one of these counts; everything where there are none. */
  regions?: readonly Polygon[];
  /** What lies in one of these never counts: a road behind the fence, a tree, the camera's clock. */
  masks?: readonly Polygon[];
}

/** Most regions, and most masks. */
const MOST_POLYGONS = 50;

/** @throws EDGE_ZONE_SHAPE, EDGE_SETTING */
export function checkArea({ regions = [], masks = [] }: MotionArea): void {
  if (regions.length > MOST_POLYGONS || masks.length > MOST_POLYGONS) {
    throw invalidSetting('regions and masks', `at most ${MOST_POLYGONS} of each`, Math.max(regions.length, masks.length));
  }
  for (const [index, region] of regions.entries()) checkPolygon(`region ${index + 1}`, region);
  for (const [index, mask] of masks.entries()) checkPolygon(`mask ${index + 1}`, mask);
}

/** 1 for each pixel whose centre counts, and how many do. */
export function drawArea(
  { regions = [], masks = [] }: MotionArea,
  width: number,
  height: number,
): { counts: Uint8Array; pixels: number } {
  const counts = new Uint8Array(width * height).fill(regions.length === 0 ? 1 : 0);
  for (const region of regions) fill(counts, width, height, region, 1);
  for (const mask of masks) fill(counts, width, height, mask, 0);
  return { counts, pixels: counts.reduce((sum, one) => sum + one, 0) };
}

/** Row by row between the sides that the row's middle meets, by the even-odd rule. */
function fill(counts: Uint8Array, width: number, height: number, polygon: Polygon, value: 0 | 1): void {
  for (let row = 0; row < height; row++) {
    const y = (row + 0.5) / height;
    const meets: number[] = [];
    for (const [index, a] of polygon.entries()) {
      const b = polygon[(index + 1) % polygon.length]!;
      if (a.y > y !== b.y > y) meets.push(a.x + ((y - a.y) / (b.y - a.y)) * (b.x - a.x));
    }
    meets.sort((a, b) => a - b);
    for (let pair = 0; pair + 1 < meets.length; pair += 2) {
      // Pixels whose centre lies between the two.
      const from = Math.ceil(meets[pair]! * width - 0.5);
      const to = Math.ceil(meets[pair + 1]! * width - 0.5);
      counts.fill(value, row * width + Math.max(0, from), row * width + Math.max(0, Math.min(width, to)));
    }
  }
}
