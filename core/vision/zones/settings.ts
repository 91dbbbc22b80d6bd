import { invalidSetting } from '../../errors';
import type { Point } from '../../message/results';
import { checkPoint, checkPolygon, type Polygon, shapeError } from '../polygon';

/** The point of a box that stands for the object: where it touches the ground, or its middle. */
export type Anchor = 'foot' | 'centre';

export interface Zone {
  name: string;
  polygon: Polygon;
  /** Only these count; all when empty or absent. */
  labels?: readonly string[];
  /** @default 'foot' */
  anchor?: Anchor;
}

/** Forwards is from the left to the right of somebody who goes from `from` to `to`. */
export interface Line {
  name: string;
  from: Point;
  to: Point;
  labels?: readonly string[];
  /** @default 'foot' */
  anchor?: Anchor;
}

export interface ZonesSettings {
  zones: readonly Zone[];
  lines: readonly Line[];
  /** Frames for which an object must be on the other side before it has entered, left or crossed. */
  inertiaFrames: number;
  /** Seconds for which it must be there. */
  inertiaSeconds: number;
  /**
   * How far beyond the edge of a zone an object must be to leave it, or beyond a line to have crossed it, as a share of the picture's
   * height: an object that stands on the edge does not flicker.
   */
  margin: number;
  /** Seconds after which an object that no longer comes, and of which nobody says that it is lost or ended, has left. */
  forgetSeconds: number;
}

export const ZONES_DEFAULTS: Readonly<ZonesSettings> = {
  zones: [],
  lines: [],
  inertiaFrames: 2,
  inertiaSeconds: 0,
  margin: 0.01,
  forgetSeconds: 3,
};

/** Most zones, and most lines, of one node. */
export const MOST_SHAPES = 50;

/** @throws EDGE_ZONE_SHAPE, EDGE_SETTING */
export function checkZones(settings: ZonesSettings): void {
  const { zones, lines, inertiaFrames, inertiaSeconds, margin, forgetSeconds } = settings;
  if (zones.length > MOST_SHAPES || lines.length > MOST_SHAPES) {
    throw invalidSetting('zones and lines', `at most ${MOST_SHAPES} of each`, Math.max(zones.length, lines.length));
  }
  const names = new Set<string>();
  for (const { name } of [...zones, ...lines]) {
    if (typeof name !== 'string' || name.trim() === '') throw invalidSetting('name', 'a name for each zone and line', name);
    if (names.has(name)) throw invalidSetting('name', 'another name for each zone and line', name);
    names.add(name);
  }
  for (const { name, polygon } of zones) checkPolygon(name, polygon);
  for (const { name, from, to } of lines) {
    checkPoint(name, from);
    checkPoint(name, to);
    if (Math.hypot(from.x - to.x, from.y - to.y) < 0.001) throw shapeError(name, 'begins where it ends');
  }
  if (!Number.isInteger(inertiaFrames) || inertiaFrames < 1 || inertiaFrames > 1000) {
    throw invalidSetting('inertiaFrames', 'a whole number from 1 to 1000', inertiaFrames);
  }
  if (!(inertiaSeconds >= 0 && inertiaSeconds <= 3600)) {
    throw invalidSetting('inertiaSeconds', 'a number from 0 to 3600', inertiaSeconds);
  }
  if (!(margin >= 0 && margin <= 0.5)) throw invalidSetting('margin', 'a number from 0 to 0.5', margin);
  if (!(forgetSeconds >= 0 && forgetSeconds <= 3600)) {
    throw invalidSetting('forgetSeconds', 'a number from 0 to 3600', forgetSeconds);
  }
}
