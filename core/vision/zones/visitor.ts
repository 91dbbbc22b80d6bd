import type { Box, Point } from '../../message/results';
import { crossing, distanceToSegment, distanceToSides, isInside } from '../polygon';
import type { Anchor, Line, Zone } from './settings';
import { type Inertia, Switch } from './switch';

/** What a shape needs to know of the picture: how a share of its width compares with one of its height. */
interface Scale {
  x: number;
  y: number;
}

/** What is remembered of one object at one zone. */
export class ZoneVisit {
  readonly inside = new Switch();

  /** @returns true when the object has entered or left. */
  feed(zone: Zone, at: Point, now: number, inertia: Inertia, margin: number, scale: Scale): boolean {
    const within = isInside(at, zone.polygon) || (this.inside.on && distanceToSides(at, zone.polygon, scale) <= margin);
    return this.inside.feed(within, now, inertia);
  }
}

/**
 * What is remembered of one object at one line. Each step of the object's way that crosses the line is added up, one way with plus
 * and the other with minus: who goes back over it, or around its end, has not crossed it. The sum counts when it has lasted, and
 * the object is clear of the line.
 */
export class LineVisit {
  private last: Point | undefined;
  private sum = 0;
  private frames = 0;
  private began = 0;

  /** @returns how often the object has crossed: positive forwards, negative backwards, nearly always 0. */
  feed(line: Line, at: Point, now: number, inertia: Inertia, margin: number, scale: Scale): number {
    const step = this.last ? crossing(this.last, at, line.from, line.to) : 0;
    this.last = at;
    if (step !== 0) {
      this.sum += step;
      this.frames = 0;
      this.began = now;
    }
    if (this.sum === 0) return 0;
    this.frames += 1;
    const lasted = this.frames >= inertia.frames && now - this.began >= inertia.milliseconds;
    return lasted && distanceToSegment(at, line.from, line.to, scale) > margin ? this.take() : 0;
  }

  /** What is not counted yet, when the object comes no more: nobody will take it back. */
  take(): number {
    const { sum } = this;
    this.sum = 0;
    return sum;
  }
}

/** The point that stands for a box, as shares of the picture, inside it. */
export function anchorOf(box: Box, image: { width: number; height: number }, anchor: Anchor = 'foot'): Point {
  const y = anchor === 'foot' ? box.y + box.height : box.y + box.height / 2;
  return { x: clamp((box.x + box.width / 2) / image.width), y: clamp(y / image.height) };
}

/** A little inside, so that a zone drawn up to the picture's edge holds who stands on it. */
function clamp(value: number): number {
  return Math.min(1 - 1e-6, Math.max(1e-6, value));
}
