import { PerSource } from '../per-source';
import type { TrackerSettings } from './settings';
import { Tracker } from './tracker';

/** A tracker for each source, so that cameras through one node stay apart. */
export class TrackerSet extends PerSource<Tracker> {
  /** @throws EDGE_SETTING at once, not at the first frame */
  constructor(settings: Partial<TrackerSettings> = {}, mostSources?: number) {
    new Tracker(settings);
    super(() => new Tracker(settings), mostSources);
  }
}
