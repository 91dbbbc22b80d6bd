import type { Detection, LineState, Point, ZoneChange, ZoneState } from '../../message/results';
import { isDetection, isTrackId } from '../box';
import { isInside } from '../polygon';
import { StreamClock } from '../stream-clock';
import { type Anchor, checkZones, ZONES_DEFAULTS, type ZonesSettings } from './settings';
import { anchorOf, LineVisit, ZoneVisit } from './visitor';

/** What comes from a tracker, of this palette or another; without `trackId` an object is in a zone and no more. */
export interface ZonesInput {
  detections: readonly (Detection & { seen?: boolean; age?: number })[];
  lost?: readonly { trackId: number }[];
  ended?: readonly { trackId: number }[];
}

export interface ZonesOutput {
  detections: Detection[];
  zones: ZoneState[];
  lines: LineState[];
  changes: ZoneChange[];
}

/** Totals that outlive a restart. */
export interface ZoneTotals {
  zones: Record<string, { entered: number; left: number }>;
  lines: Record<string, { forwards: number; backwards: number }>;
}

/** Most objects remembered; of more, the one not heard of for longest has left. */
const MOST_OBJECTS = 1000;

interface Visitor {
  label: string;
  age: number;
  lastHeard: number;
  zones: ZoneVisit[];
  lines: LineVisit[];
}

/**
 * Who is in which zone, for how long, and who crosses which line, for one source. Zones and lines are shares of the picture, so that
 * another resolution changes nothing.
 *
 * - An object enters, leaves and crosses when it has been on the other side for the inertia and by the margin.
 * - An object that is lost stays in its zones until it is found or ended; where its way goes on beyond a line, it has crossed it.
 * - An object that ends has left; a crossing that nothing took back then counts.
 * - A track number whose age has become less is another object: the tracker began anew.
 */
export class ZoneCounter {
  readonly clock = new StreamClock();
  private readonly settings: ZonesSettings;
  private readonly visitors = new Map<number, Visitor>();
  private totals: ZoneTotals = { zones: {}, lines: {} };

  /** @throws EDGE_ZONE_SHAPE, EDGE_SETTING */
  constructor(settings: Partial<ZonesSettings> = {}) {
    this.settings = { ...ZONES_DEFAULTS, ...settings };
    checkZones(this.settings);
    this.reset();
  }

  /** All counts from nothing; who is in a zone stays in it. */
  reset(): void {
    this.totals = { zones: {}, lines: {} };
    for (const { name } of this.settings.zones) this.totals.zones[name] = { entered: 0, left: 0 };
    for (const { name } of this.settings.lines) this.totals.lines[name] = { forwards: 0, backwards: 0 };
  }

  /** Go on from totals that were kept; those of zones and lines that no longer exist, and what is no count, are passed over. */
  restore(kept: Partial<ZoneTotals>): void {
    for (const part of ['zones', 'lines'] as const) {
      for (const [name, total] of Object.entries<Record<string, number>>(this.totals[part])) {
        const before: Record<string, unknown> = kept[part]?.[name] ?? {};
        for (const field of Object.keys(total)) {
          const value = before[field];
          if (typeof value === 'number' && Number.isInteger(value) && value >= 0) total[field] = value;
        }
      }
    }
  }

  keep(): ZoneTotals {
    return structuredClone(this.totals);
  }

  /**
   * @param image the picture's size in pixels.
   * @param at capture time in milliseconds.
   * @returns null when the frame is refused, because it is not newer than the one before it.
   */
  update(input: ZonesInput, image: { width: number; height: number }, at: number): ZonesOutput | null {
    if (this.clock.tick(at) === null) return null;
    const now = this.clock.now;
    const changes: ZoneChange[] = [];
    const visiting: { zones: string[]; label: string; tracked: boolean }[] = [];
    const detections = input.detections.map((detection) => {
      if (!isDetection(detection)) return { ...(detection as Detection), zones: [] };
      const tracked = isTrackId(detection.trackId);
      const zones = tracked
        ? this.visit(detection, image, now, changes)
        : this.settings.zones
            .filter(
              ({ labels, polygon, anchor }) =>
                counts(labels, detection.label) && isInside(anchorOf(detection.box, image, anchor), polygon),
            )
            .map(({ name }) => name);
      visiting.push({ zones, label: detection.label, tracked });
      return { ...detection, zones };
    });
    for (const { trackId } of input.lost ?? []) this.hear(trackId, now);
    for (const { trackId } of input.ended ?? []) this.end(trackId, now, changes);
    this.forget(now, changes);
    const untracked = visiting.filter(({ tracked }) => !tracked);
    return { detections, zones: this.zoneStates(untracked, now), lines: this.lineStates(), changes };
  }

  /** Time has passed and no frame came: who was in a zone has left it after `forgetSeconds`. */
  tick(at: number): Omit<ZonesOutput, 'detections'> {
    const changes: ZoneChange[] = [];
    const now = this.clock.timeOf(at);
    this.forget(now, changes);
    return { zones: this.zoneStates([], now), lines: this.lineStates(), changes };
  }

  private visit(
    detection: ZonesInput['detections'][number],
    image: { width: number; height: number },
    now: number,
    changes: ZoneChange[],
  ): string[] {
    const { label, box, seen, age = Number.NaN } = detection;
    const trackId = detection.trackId!;
    const visitor = this.visitorOf(trackId, label, age, now, changes);
    const { zones, lines, inertiaFrames, inertiaSeconds, margin } = this.settings;
    const inertia = { frames: inertiaFrames, milliseconds: inertiaSeconds * 1000 };
    const scale: Point = { x: image.width / image.height, y: 1 };
    const points: Record<Anchor, Point> = { foot: anchorOf(box, image, 'foot'), centre: anchorOf(box, image, 'centre') };
    const inside: string[] = [];
    for (const [index, zone] of zones.entries()) {
      if (!counts(zone.labels, label)) continue;
      const visit = visitor.zones[index]!;
      const before = visit.inside.since;
      if (visit.feed(zone, points[zone.anchor ?? 'foot'], now, inertia, margin, scale)) {
        if (visit.inside.on) this.enter(zone.name, trackId, label, changes);
        else this.leave(zone.name, trackId, label, visit.inside.since - before, changes);
      }
      if (visit.inside.on) inside.push(zone.name);
    }
    // Where an object is only expected, it has crossed nothing.
    if (seen === false) return inside;
    for (const [index, line] of lines.entries()) {
      if (!counts(line.labels, label)) continue;
      const crossed = visitor.lines[index]!.feed(line, points[line.anchor ?? 'foot'], now, inertia, margin, scale);
      this.cross(line.name, trackId, label, crossed, changes);
    }
    return inside;
  }

  private visitorOf(trackId: number, label: string, age: number, now: number, changes: ZoneChange[]): Visitor {
    const known = this.visitors.get(trackId);
    if (known && !(age < known.age)) {
      known.age = age;
      this.hear(trackId, now);
      return known;
    }
    if (known) this.end(trackId, now, changes);
    if (this.visitors.size >= MOST_OBJECTS) this.end(this.visitors.keys().next().value!, now, changes);
    const { zones, lines } = this.settings;
    const visitor: Visitor = {
      label,
      age,
      lastHeard: now,
      zones: zones.map(() => new ZoneVisit()),
      lines: lines.map(() => new LineVisit()),
    };
    this.visitors.set(trackId, visitor);
    return visitor;
  }

  private hear(trackId: number, now: number): void {
    const visitor = this.visitors.get(trackId);
    if (!visitor) return;
    visitor.lastHeard = now;
    // The Map keeps who was not heard of for longest first.
    this.visitors.delete(trackId);
    this.visitors.set(trackId, visitor);
  }

  private end(trackId: number, now: number, changes: ZoneChange[]): void {
    const visitor = this.visitors.get(trackId);
    if (!visitor) return;
    this.visitors.delete(trackId);
    const until = Math.min(now, visitor.lastHeard);
    for (const [index, { name }] of this.settings.zones.entries()) {
      const { inside } = visitor.zones[index]!;
      if (inside.on) this.leave(name, trackId, visitor.label, until - inside.since, changes);
    }
    for (const [index, { name }] of this.settings.lines.entries()) {
      this.cross(name, trackId, visitor.label, visitor.lines[index]!.take(), changes);
    }
  }

  private forget(now: number, changes: ZoneChange[]): void {
    for (const [trackId, { lastHeard }] of this.visitors) {
      if (now - lastHeard <= this.settings.forgetSeconds * 1000) break;
      this.end(trackId, now, changes);
    }
  }

  private enter(zone: string, trackId: number, label: string, changes: ZoneChange[]): void {
    this.totals.zones[zone]!.entered += 1;
    changes.push({ kind: 'enter', zone, trackId, label });
  }

  private leave(zone: string, trackId: number, label: string, milliseconds: number, changes: ZoneChange[]): void {
    this.totals.zones[zone]!.left += 1;
    changes.push({ kind: 'leave', zone, trackId, label, dwell: seconds(milliseconds) });
  }

  private cross(line: string, trackId: number, label: string, times: number, changes: ZoneChange[]): void {
    const direction = times > 0 ? 'forwards' : 'backwards';
    this.totals.lines[line]![direction] += Math.abs(times);
    for (let time = 0; time < Math.abs(times); time++) changes.push({ kind: 'cross', line, trackId, label, direction });
  }

  private zoneStates(untracked: readonly { zones: string[]; label: string }[], now: number): ZoneState[] {
    return this.settings.zones.map(({ name }, index) => {
      const objects: ZoneState['objects'] = [];
      const labels: Record<string, number> = {};
      for (const [trackId, { label, zones }] of this.visitors) {
        const { inside } = zones[index]!;
        if (!inside.on) continue;
        objects.push({ trackId, label, dwell: seconds(now - inside.since) });
        labels[label] = (labels[label] ?? 0) + 1;
      }
      let present = objects.length;
      for (const { zones, label } of untracked) {
        if (!zones.includes(name)) continue;
        present += 1;
        labels[label] = (labels[label] ?? 0) + 1;
      }
      objects.sort((a, b) => a.trackId - b.trackId);
      return { name, present, labels, objects, ...this.totals.zones[name]! };
    });
  }

  private lineStates(): LineState[] {
    return this.settings.lines.map(({ name }) => ({ name, ...this.totals.lines[name]! }));
  }
}

function counts(labels: readonly string[] | undefined, label: string): boolean {
  return labels === undefined || labels.length === 0 || labels.includes(label);
}

function seconds(milliseconds: number): number {
  return Math.round(milliseconds) / 1000;
}
