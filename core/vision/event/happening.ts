import type { Box, Detection, EventRecord } from '../../message/results';
import { isBetter, snapshotQuality } from './snapshot';

/** Most track numbers and zones that an event names. */
const MOST_NAMED = 100;

/** Something that is, or may become, an event. Stream times in milliseconds, beside the epoch's that are told. */
export class Happening {
  started = false;
  loitering = false;
  lastUpdate = 0;
  /** Set while a trigger holds it open. */
  held = false;
  private quality = 0;
  private best: EventRecord['best'];
  private readonly labels = new Map<string, number>();
  private readonly trackIds = new Set<number>();
  private readonly zones = new Set<string>();

  /** @param firstSeen of the stream. @param startedAt the same since the epoch. */
  constructor(
    readonly id: string,
    readonly kind: EventRecord['kind'],
    readonly name: string,
    readonly firstSeen: number,
    readonly startedAt: number,
    public lastSeen = firstSeen,
  ) {}

  /**
   * @param detections of this frame that belong to it.
   * @returns whether a zone was entered that it had not been in, and whether this is the best picture so far.
   */
  see(
    detections: readonly Detection[],
    image: { width: number; height: number },
    now: number,
    at: number,
  ): { zone: boolean; best: boolean } {
    this.lastSeen = Math.max(this.lastSeen, now);
    let zone = false;
    let best = false;
    const counts = new Map<string, number>();
    for (const { label, score, box, trackId, zones = [] } of detections) {
      counts.set(label, (counts.get(label) ?? 0) + 1);
      if (trackId !== undefined && this.trackIds.size < MOST_NAMED) this.trackIds.add(trackId);
      for (const name of zones) {
        if (this.zones.has(name) || this.zones.size >= MOST_NAMED) continue;
        this.zones.add(name);
        zone = true;
      }
      if (this.consider({ at, label, score, box }, image)) best = true;
    }
    for (const [label, count] of counts) {
      if (this.labels.size < MOST_NAMED || this.labels.has(label)) {
        this.labels.set(label, Math.max(count, this.labels.get(label) ?? 0));
      }
    }
    return { zone, best };
  }

  /** @param until of the stream. */
  record(until: number, ended: boolean): EventRecord {
    const duration = Math.max(0, until - this.firstSeen);
    return {
      id: this.id,
      kind: this.kind,
      name: this.name,
      startedAt: this.startedAt,
      ...(ended ? { endedAt: this.startedAt + duration } : {}),
      duration: Math.round(duration) / 1000,
      labels: Object.fromEntries(this.labels),
      trackIds: [...this.trackIds],
      zones: [...this.zones],
      loitering: this.loitering,
      ...(this.best ? { best: this.best } : {}),
    };
  }

  private consider(
    seen: { at: number; label: string; score: number; box: Box },
    image: { width: number; height: number },
  ): boolean {
    const quality = snapshotQuality(seen.score, seen.box, image);
    if (!isBetter(quality, this.quality)) return false;
    this.quality = quality;
    this.best = seen;
    return true;
  }
}
