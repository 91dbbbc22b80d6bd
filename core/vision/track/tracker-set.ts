import type { TrackerSettings } from './settings';
import { Tracker } from './tracker';

/** Most sources that one node follows at once; of more, the one not heard of for longest is forgotten. */
export const MOST_SOURCES = 64;

/** A tracker for each source, made at its first frame. */
export class TrackerSet {
  /** Sources that were forgotten for others. */
  evicted = 0;
  private readonly trackers = new Map<string, Tracker>();

  /** @throws EDGE_SETTING */
  constructor(
    private readonly settings: Partial<TrackerSettings> = {},
    private readonly mostSources = MOST_SOURCES,
  ) {
    new Tracker(settings);
  }

  get sources(): string[] {
    return [...this.trackers.keys()];
  }

  /** The tracker of a source, which thereby becomes the one heard of last. */
  of(source: string): Tracker {
    const tracker = this.trackers.get(source) ?? new Tracker(this.settings);
    // A Map keeps the order of insertion: what is taken out and put back is last.
    this.trackers.delete(source);
    this.trackers.set(source, tracker);
    if (this.trackers.size > this.mostSources) {
      this.trackers.delete(this.trackers.keys().next().value!);
      this.evicted += 1;
    }
    return tracker;
  }

  clear(): void {
    this.trackers.clear();
  }
}
