import { EdgeError } from '../errors';
import type { Point } from '../message/results';

/** Corners in order, as shares of the picture's width and height from 0 to 1; the last is joined to the first. */
export type Polygon = readonly Point[];

/** Most corners of a polygon. */
export const MOST_CORNERS = 100;

/**
 * @param name what the user calls it.
 * @throws EDGE_ZONE_SHAPE for fewer than three corners or more than a hundred, corners outside the picture, an area of nothing, and
 * sides that cross or touch, since nobody can tell what is then inside.
 */
export function checkPolygon(name: string, polygon: unknown): asserts polygon is Polygon {
  if (!Array.isArray(polygon) || polygon.length < 3 || polygon.length > MOST_CORNERS) {
    throw shapeError(name, `needs 3 to ${MOST_CORNERS} corners`);
  }
  for (const corner of polygon) checkPoint(name, corner);
  const corners = polygon as Point[];
  const sides = corners.map((from, index): [Point, Point] => [from, corners[(index + 1) % corners.length]!]);
  for (const [index, [from, to]] of sides.entries()) {
    if (from.x === to.x && from.y === to.y) throw shapeError(name, `has corner ${index + 1} twice`);
    for (let other = index + 1; other < sides.length; other++) {
      const adjacent = other === index + 1 || (index === 0 && other === sides.length - 1);
      const [start, end] = sides[other]!;
      const crosses = adjacent ? foldsBack(from, to, start, end) : segmentsTouch(from, to, start, end);
      if (crosses) throw shapeError(name, `crosses itself: side ${index + 1} meets side ${other + 1}`);
    }
  }
  if (Math.abs(areaOf(corners)) < 1e-6) throw shapeError(name, 'has no area');
}

/** @throws EDGE_ZONE_SHAPE for what is no point of the picture. */
export function checkPoint(name: string, point: unknown): asserts point is Point {
  const { x, y } = (typeof point === 'object' && point !== null ? point : {}) as Partial<Point>;
  const inside = (value: unknown) => typeof value === 'number' && value >= 0 && value <= 1;
  if (!inside(x) || !inside(y)) throw shapeError(name, `has a point outside the picture: ${String(x)}, ${String(y)}`);
}

export function shapeError(name: string, found: string): EdgeError {
  return new EdgeError('EDGE_ZONE_SHAPE', `${JSON.stringify(name)} ${found}`);
}

/** Even-odd rule; a point on a side may count either way. */
export function isInside({ x, y }: Point, polygon: Polygon): boolean {
  let inside = false;
  for (let at = 0, before = polygon.length - 1; at < polygon.length; before = at++) {
    const a = polygon[at]!;
    const b = polygon[before]!;
    if (a.y > y !== b.y > y && x < a.x + ((y - a.y) / (b.y - a.y)) * (b.x - a.x)) inside = !inside;
  }
  return inside;
}

/** From the nearest side, in the units of the points times `scale` per axis. */
export function distanceToSides(point: Point, polygon: Polygon, scale: Point): number {
  let least = Infinity;
  for (let at = 0, before = polygon.length - 1; at < polygon.length; before = at++) {
    least = Math.min(least, distanceToSegment(point, polygon[before]!, polygon[at]!, scale));
  }
  return least;
}

export function distanceToSegment(point: Point, from: Point, to: Point, scale: Point): number {
  const [x, y] = [(point.x - from.x) * scale.x, (point.y - from.y) * scale.y];
  const [dx, dy] = [(to.x - from.x) * scale.x, (to.y - from.y) * scale.y];
  const length = dx * dx + dy * dy;
  const along = length === 0 ? 0 : Math.min(1, Math.max(0, (x * dx + y * dy) / length));
  return Math.hypot(x - along * dx, y - along * dy);
}

/** Positive where `c` lies to the right of the way from `a` to `b`, on a picture whose y grows downwards; 0 on the line. */
export function sideOf(a: Point, b: Point, c: Point): number {
  return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
}

/**
 * How the step from `from` to `to` crosses the segment from `a` to `b`: 1 from its left to its right, -1 from its right to its left,
 * 0 not at all. A point on the line counts as on its right, so that two steps that meet on it cross it once.
 */
export function crossing(from: Point, to: Point, a: Point, b: Point): -1 | 0 | 1 {
  const before = sideOf(a, b, from) >= 0;
  const after = sideOf(a, b, to) >= 0;
  if (before === after) return 0;
  const start = sideOf(from, to, a) >= 0;
  const end = sideOf(from, to, b) >= 0;
  if (start === end) return 0;
  return after ? 1 : -1;
}

function segmentsTouch(a: Point, b: Point, c: Point, d: Point): boolean {
  const [abc, abd, cda, cdb] = [sideOf(a, b, c), sideOf(a, b, d), sideOf(c, d, a), sideOf(c, d, b)];
  if (Math.sign(abc) * Math.sign(abd) < 0 && Math.sign(cda) * Math.sign(cdb) < 0) return true;
  return (
    (abc === 0 && liesWithin(c, a, b)) ||
    (abd === 0 && liesWithin(d, a, b)) ||
    (cda === 0 && liesWithin(a, c, d)) ||
    (cdb === 0 && liesWithin(b, c, d))
  );
}

/** Whether two sides that share a corner lie on each other. */
function foldsBack(a: Point, b: Point, c: Point, d: Point): boolean {
  const [corner, from, to] = b === c ? [b, a, d] : [a, b, c];
  const along = (from.x - corner.x) * (to.x - corner.x) + (from.y - corner.y) * (to.y - corner.y);
  return sideOf(from, corner, to) === 0 && along > 0;
}

function liesWithin(point: Point, a: Point, b: Point): boolean {
  return (
    point.x >= Math.min(a.x, b.x) &&
    point.x <= Math.max(a.x, b.x) &&
    point.y >= Math.min(a.y, b.y) &&
    point.y <= Math.max(a.y, b.y)
  );
}

function areaOf(corners: Polygon): number {
  return corners.reduce((sum, { x, y }, index) => {
    const next = corners[(index + 1) % corners.length]!;
    return sum + (x * next.y - next.x * y) / 2;
  }, 0);
}
