import { randomUUID } from 'node:crypto';
import type { Detection, EventResult } from '../../message/results';
import { isDetection, isTrackId } from '../box';
import { isTime, StreamClock } from '../stream-clock';
import { Happening } from './happening';
import { checkEventSettings, EVENT_DEFAULTS, type EventSettings } from './settings';

/** What happened, without the schema's name. */
export type EventChange = Omit<EventResult, 'schema'>;

export interface EventStep {
  changes: EventChange[];
  /** Ids of events, and of what may become one, for which this frame is the best picture so far: keep it. */
  keep: string[];
  /** Ids of what did not become an event: let its picture go. */
  forget: string[];
}

/** A detection as far as an event asks; what of it is not what it should be is left out. */
interface Seen extends Detection {
  zones: string[];
  /** Its box is where a tracker expects it. */
  expected: boolean;
}

/** Most events, and what may become one, at once; what comes beyond is counted and passed over. */
const MOST_HAPPENINGS = 200;
const MOST_COOLING = 1000;

/**
 * Events out of tracks, zones and triggers, for one source; a state machine that knows no time but what it is given.
 *
 * Something is there -> after `leastSeconds` the event **starts** -> it is **updated** when it enters a zone, begins to loiter, or
 * at an interval -> after `endSeconds` without it, the event **ends** with the time it was last there. Gaps shorter than
 * `endSeconds` do not matter, before the start neither. With `per: 'object'`, detections that no tracker follows are one object for each
 * label.
 */
export class EventMachine {
  readonly clock = new StreamClock();
  /** Events, or what might have become one, beyond the most at once; triggers without a time. */
  passedOver = 0;
  private readonly settings: EventSettings;
  private readonly happenings = new Map<string, Happening>();
  /** By name: until when no event of that name begins. */
  private readonly cooling = new Map<string, number>();

  /**
   * @param newId makes the events' ids.
   * @throws EDGE_SETTING
   */
  constructor(
    settings: Partial<EventSettings> = {},
    private readonly newId: () => string = randomUUID,
  ) {
    this.settings = { ...EVENT_DEFAULTS, ...settings };
    checkEventSettings(this.settings);
  }

  /** Events that have started and not ended. */
  get open(): number {
    return [...this.happenings.values()].filter(({ started }) => started).length;
  }

  /**
   * One frame. An object that a tracker only expects (`seen: false`) is there, and makes no picture.
   * @param image the picture's size in pixels.
   * @param at capture time in milliseconds since the epoch.
   * @returns null when the frame is refused, because it is not newer than the one before it.
   */
  update(
    detections: readonly (Detection & { seen?: boolean })[],
    image: { width: number; height: number },
    at: number,
  ): EventStep | null {
    if (this.clock.tick(at) === null) return null;
    const now = this.clock.now;
    const step: EventStep = { changes: [], keep: [], forget: [] };
    const wanted = detections
      .flatMap((detection) => (isDetection(detection) ? cleaned(detection) : []))
      .filter((detection) => this.wants(detection));
    for (const [key, group] of this.group(wanted)) {
      const [{ label }] = group as [Seen];
      const per = this.settings.per;
      const happening = this.find(key, per, per === 'scene' ? 'scene' : label, now, at);
      if (happening) this.see(happening, group, image, now, at, step);
    }
    // Whatever is seen while a trigger holds shows what it was about.
    for (const happening of this.happenings.values()) {
      if (happening.kind !== 'trigger' || wanted.length === 0) continue;
      const { lastSeen } = happening;
      this.see(happening, wanted, image, now, at, step);
      happening.lastSeen = lastSeen;
    }
    this.advance(now, step);
    return step;
  }

  /**
   * Something else said that it happens: a door sensor, a bit of a PLC. The event starts at once.
   * @param on true: it goes on until it is released; false: it is released; absent: it happened, and is over after `endSeconds`.
   */
  trigger(name: string, at: number, on?: boolean): EventStep {
    const step: EventStep = { changes: [], keep: [], forget: [] };
    if (!isTime(at)) {
      this.passedOver += 1;
      return step;
    }
    const now = this.timeOf(at);
    const key = `trigger ${name}`;
    const known = this.happenings.get(key);
    if (on === false) {
      if (known) this.end(key, known, now, 'released', step);
      return step;
    }
    if (!known && this.isCooling(name, now)) return step;
    const happening = known ?? this.find(key, 'trigger', name, now, at);
    if (!happening) return step;
    happening.lastSeen = Math.max(happening.lastSeen, now);
    happening.held = on === true || happening.held;
    if (!happening.started) this.start(happening, now, 'triggered', step);
    return step;
  }

  /** Time has passed and no frame came: what is over ends. */
  tick(at: number): EventStep {
    const step: EventStep = { changes: [], keep: [], forget: [] };
    this.advance(this.timeOf(at), step);
    return step;
  }

  /** Everything that goes on ends now: the flow stops. */
  close(at: number): EventStep {
    const step: EventStep = { changes: [], keep: [], forget: [] };
    const now = this.timeOf(at);
    for (const [key, happening] of [...this.happenings]) this.end(key, happening, now, 'closed', step);
    return step;
  }

  private timeOf(at: number): number {
    return this.clock.now < 0 ? (this.clock.tick(at) ?? 0) : this.clock.timeOf(at);
  }

  private wants({ label, score, zones }: Seen): boolean {
    const { labels, zones: only, leastScore } = this.settings;
    if (score < leastScore) return false;
    if (labels.length > 0 && !labels.includes(label)) return false;
    return only.length === 0 || zones.some((zone) => only.includes(zone));
  }

  private group(detections: readonly Seen[]): Map<string, Seen[]> {
    const groups = new Map<string, Seen[]>();
    for (const detection of detections) {
      const { trackId, label } = detection;
      const key = this.settings.per === 'scene' ? 'scene' : trackId === undefined ? `label ${label}` : `track ${trackId}`;
      const group = groups.get(key);
      if (group) group.push(detection);
      else groups.set(key, [detection]);
    }
    return groups;
  }

  private find(key: string, kind: Happening['kind'], name: string, now: number, at: number): Happening | null {
    const known = this.happenings.get(key);
    if (known) return known;
    if (this.happenings.size >= MOST_HAPPENINGS) {
      this.passedOver += 1;
      return null;
    }
    const happening = new Happening(this.newId(), kind, name, now, at);
    this.happenings.set(key, happening);
    return happening;
  }

  private see(
    happening: Happening,
    detections: readonly Seen[],
    image: { width: number; height: number },
    now: number,
    at: number,
    step: EventStep,
  ): void {
    const seen = detections.filter(({ expected }) => !expected);
    const { zone, best } = happening.see(seen, image, now, at);
    if (best) step.keep.push(happening.id);
    if (zone && happening.started) this.change(happening, 'update', 'zone', now, step);
  }

  private advance(now: number, step: EventStep): void {
    const { leastSeconds, endSeconds, loiterSeconds, updateSeconds, mostSeconds } = this.settings;
    for (const [key, happening] of [...this.happenings]) {
      const { lastSeen, firstSeen, started, held } = happening;
      if (!held && now - lastSeen > endSeconds * 1000) {
        if (started) this.end(key, happening, lastSeen, 'gone', step);
        else this.drop(key, happening, step);
        continue;
      }
      const until = held ? now : lastSeen;
      if (!started) {
        if (until - firstSeen < leastSeconds * 1000 || this.isCooling(happening.name, now)) continue;
        this.start(happening, now, 'seen', step);
      }
      if (now - firstSeen >= mostSeconds * 1000) {
        this.end(key, happening, until, 'longest', step);
        continue;
      }
      if (loiterSeconds > 0 && !happening.loitering && until - firstSeen >= loiterSeconds * 1000) {
        happening.loitering = true;
        this.change(happening, 'update', 'loitering', until, step);
      }
      if (updateSeconds > 0 && now - happening.lastUpdate >= updateSeconds * 1000) {
        this.change(happening, 'update', 'interval', until, step);
        // Not `until`, which stands still while the object is gone.
        happening.lastUpdate = now;
      }
    }
  }

  private start(happening: Happening, now: number, reason: EventChange['reason'], step: EventStep): void {
    happening.started = true;
    this.change(happening, 'start', reason, Math.max(happening.firstSeen, Math.min(now, happening.lastSeen)), step);
  }

  private change(
    happening: Happening,
    phase: EventChange['phase'],
    reason: EventChange['reason'],
    until: number,
    step: EventStep,
  ): void {
    happening.lastUpdate = until;
    step.changes.push({ phase, reason, event: happening.record(until, phase === 'end') });
  }

  private end(key: string, happening: Happening, until: number, reason: EventChange['reason'], step: EventStep): void {
    if (!happening.started) {
      this.drop(key, happening, step);
      return;
    }
    this.happenings.delete(key);
    this.change(happening, 'end', reason, until, step);
    const { coolDownSeconds } = this.settings;
    if (coolDownSeconds === 0 || reason === 'longest') return;
    this.cooling.delete(happening.name);
    this.cooling.set(happening.name, until + coolDownSeconds * 1000);
    if (this.cooling.size > MOST_COOLING) this.cooling.delete(this.cooling.keys().next().value!);
  }

  private drop(key: string, happening: Happening, step: EventStep): void {
    this.happenings.delete(key);
    step.forget.push(happening.id);
  }

  private isCooling(name: string, now: number): boolean {
    const until = this.cooling.get(name);
    if (until === undefined) return false;
    if (now < until) return true;
    this.cooling.delete(name);
    return false;
  }
}

function cleaned({ label, score, box, trackId, zones, seen }: Detection & { seen?: boolean }): Seen {
  return {
    label,
    score,
    box,
    ...(isTrackId(trackId) ? { trackId } : {}),
    zones: Array.isArray(zones) ? zones.filter((zone) => typeof zone === 'string') : [],
    expected: seen === false,
  };
}
