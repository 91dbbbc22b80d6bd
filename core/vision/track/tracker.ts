import { invalidSetting } from '../../errors';
import type { Box, Detection, EndedTrack, LostTrack, TrackedDetection } from '../../message/results';
import { clipBox, intersectionOverUnion, isDetection } from '../box';
import { StreamClock } from '../stream-clock';
import { associate } from './association';
import { TRACKER_DEFAULTS, type TrackerSettings } from './settings';
import { Track } from './track';

export interface Tracked {
  /** Confirmed, and seen in this frame or shortly before, by id. */
  detections: TrackedDetection[];
  /** Confirmed, not seen for longer, and still looked for. */
  lost: LostTrack[];
  /** Confirmed before and given up since the last frame. */
  ended: EndedTrack[];
}

export interface TrackerCounts {
  /** Confirmed so far. */
  tracks: number;
  /** Found again after they were lost. */
  found: number;
  /** Detections left out: no box, no area, NaN, outside the picture, weaker than the lowest score, or beyond the most. */
  ignored: number;
  /** Detections that would have started a track beyond the most, when none was lost that could go. */
  refusedTracks: number;
  /** Frames that were not newer than the one before. */
  refusedFrames: number;
  /** How often the source's clock was set back. */
  clockSetBack: number;
}

/** Two tracks that overlap more than this are one object. */
const SAME_OBJECT = 0.85;

/**
 * ByteTrack (Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", ECCV 2022) for one source.
 *
 * Each frame: the tracks are moved to the frame's time; strong detections are matched with tracked and lost tracks, weak ones with
 * what is then left of the tracked ones (a weak box where an object is expected is that object half hidden; elsewhere it is
 * nothing); strong ones that are left continue tracks not confirmed yet or start one. Only boxes of one label are matched.
 *
 * Beside the paper: time is measured and not counted in frames, so that dropped frames and a rate that changes do no harm; a box
 * where another object is expected too is trusted less, since it may be of both or of the other (see Track.see); a track takes its number when it is confirmed, so that numbers count objects; the number of tracks and the detections of a frame
 * are bounded. See StreamClock for frames out of order and clocks that are set back.
 */
export class Tracker {
  private readonly settings: TrackerSettings;
  private readonly clock = new StreamClock();
  private tracks: Track[] = [];
  private confirmed = 0;
  private found = 0;
  private ignored = 0;
  private refusedTracks = 0;

  /** @throws EDGE_SETTING */
  constructor(settings: Partial<TrackerSettings> = {}) {
    this.settings = checked({ ...TRACKER_DEFAULTS, ...settings });
  }

  get counts(): TrackerCounts {
    return {
      tracks: this.confirmed,
      found: this.found,
      ignored: this.ignored,
      refusedTracks: this.refusedTracks,
      refusedFrames: this.clock.refused,
      clockSetBack: this.clock.setBack,
    };
  }

  /**
   * One frame's detections, none included: an object is lost by not being there.
   * @param image the picture's size in pixels.
   * @param at capture time in milliseconds.
   * @returns null when the frame is refused, because it is not newer than the one before it.
   */
  update(detections: readonly Detection[], image: { width: number; height: number }, at: number): Tracked | null {
    const elapsed = this.clock.tick(at);
    if (elapsed === null) return null;
    const now = this.clock.now;
    const ended = this.endLost(now);
    for (const track of this.tracks) track.predict(elapsed / 1000);

    const { strong, weak } = this.sort(detections, image);
    const { highOverlap, lowOverlap, tentativeOverlap, weakSeconds } = this.settings;
    const known = this.tracks.filter((track) => track.state !== 'tentative');
    const first = associate(known, strong, highOverlap, true);
    for (const [track] of first.pairs) track.lastSure = now;
    const isSure = (track: Track) => track.state === 'tracked' && now - track.lastSure <= weakSeconds * 1000;
    const second = associate(first.unmatchedTracks.filter(isSure), weak, lowOverlap, false);
    const tentative = this.tracks.filter((track) => track.state === 'tentative');
    const third = associate(tentative, first.unmatchedDetections, tentativeOverlap, true);

    const pairs = [...first.pairs, ...second.pairs, ...third.pairs];
    // Before any track moves to what it sees.
    const shared = pairs.map(([track, { box }]) => mostOverlap(box, track, known));
    for (const [index, [track, detection]] of pairs.entries()) this.see(track, detection, now, shared[index]!);
    const seen = new Set(pairs.map(([track]) => track));
    for (const track of known) if (!seen.has(track)) track.state = 'lost';
    for (const track of third.unmatchedTracks) track.state = 'ended';
    this.tracks = this.tracks.filter((track) => track.state !== 'ended');
    ended.push(...this.endTwins());
    for (const detection of third.unmatchedDetections) this.start(detection, now, ended);
    return { ...this.report(image, now), ended: ended.map(endedTrack) };
  }

  private report(image: { width: number; height: number }, now: number): Omit<Tracked, 'ended'> {
    const detections: TrackedDetection[] = [];
    const gone: LostTrack[] = [];
    for (const track of this.tracks) {
      if (track.state === 'tentative') continue;
      const coasting = now - track.lastSeen <= this.settings.coastSeconds * 1000;
      const box = track.state === 'tracked' || coasting ? clipBox(track.box, image) : null;
      if (box) detections.push(tracked(track, box, image, now));
      else gone.push(lost(track, now));
    }
    detections.sort((a, b) => a.trackId - b.trackId);
    return { detections, lost: gone };
  }

  private see(track: Track, detection: Detection, now: number, shared: number): void {
    if (track.state === 'lost') this.found += 1;
    track.see(detection, now, shared);
    if (track.state === 'tentative' && track.hits >= this.settings.confirmFrames) track.confirm(++this.confirmed);
  }

  private start(detection: Detection, now: number, ended: Track[]): void {
    if (detection.score < this.settings.newScore) return;
    if (this.tracks.length >= this.settings.mostTracks && !this.makeRoom(ended)) {
      this.refusedTracks += 1;
      return;
    }
    const track = new Track(detection, now);
    this.tracks.push(track);
    if (this.settings.confirmFrames <= 1) track.confirm(++this.confirmed);
  }

  /** What is there is worth more than what was: the one that has been lost for longest goes. */
  private makeRoom(ended: Track[]): boolean {
    const gone = this.tracks.filter(({ state }) => state === 'lost');
    if (gone.length === 0) return false;
    const oldest = gone.reduce((least, track) => (track.lastSeen < least.lastSeen ? track : least));
    this.tracks = this.tracks.filter((track) => track !== oldest);
    ended.push(oldest);
    return true;
  }

  /** Before the frame is looked at, so that after a long gap nothing is taken for what stood there an hour ago. */
  private endLost(now: number): Track[] {
    const isForgotten = (track: Track) => now - track.lastSeen > this.settings.lostSeconds * 1000;
    const ended = this.tracks.filter((track) => isForgotten(track) && track.id > 0);
    this.tracks = this.tracks.filter((track) => !isForgotten(track));
    return ended;
  }

  /** A lost track that lies on a tracked one is the same object twice: the one that was seen for longer stays. */
  private endTwins(): Track[] {
    const ended = new Set<Track>();
    const visible = this.tracks.filter((track) => track.state === 'tracked');
    for (const hidden of this.tracks) {
      if (hidden.state !== 'lost') continue;
      for (const track of visible) {
        if (track.label !== hidden.label || intersectionOverUnion(track.box, hidden.box) <= SAME_OBJECT) continue;
        const shorter = track.lastSeen - track.firstSeen > hidden.lastSeen - hidden.firstSeen ? hidden : track;
        ended.add(shorter);
      }
    }
    if (ended.size > 0) this.tracks = this.tracks.filter((track) => !ended.has(track));
    return [...ended];
  }

  private sort(detections: readonly Detection[], image: { width: number; height: number }) {
    const { lowScore, highScore, mostDetections } = this.settings;
    let usable = detections.filter(
      (detection) => isDetection(detection) && detection.score >= lowScore && clipBox(detection.box, image) !== null,
    );
    if (usable.length > mostDetections) usable = [...usable].sort((a, b) => b.score - a.score).slice(0, mostDetections);
    this.ignored += detections.length - usable.length;
    return {
      strong: usable.filter(({ score }) => score >= highScore),
      weak: usable.filter(({ score }) => score < highScore),
    };
  }
}

/** With where any other is expected. */
function mostOverlap(box: Box, own: Track, tracks: readonly Track[]): number {
  return tracks.reduce((most, track) => (track === own ? most : Math.max(most, intersectionOverUnion(track.box, box))), 0);
}

function tracked(track: Track, box: Box, image: { width: number; height: number }, now: number): TrackedDetection {
  const { x, y } = track.velocity;
  const speed = Math.hypot(x, y);
  return {
    ...track.detection,
    box: rounded(box),
    trackId: track.id,
    seen: track.state === 'tracked',
    age: round((now - track.firstSeen) / 1000, 1000),
    hits: track.hits,
    velocity: { x: round(x), y: round(y) },
    speed: round(speed),
    relativeSpeed: round(speed / Math.hypot(image.width, image.height), 10_000),
  };
}

function lost(track: Track, now: number): LostTrack {
  return {
    trackId: track.id,
    label: track.label,
    box: rounded(track.box),
    lostFor: round((now - track.lastSeen) / 1000, 1000),
  };
}

function endedTrack(track: Track): EndedTrack {
  return {
    trackId: track.id,
    label: track.label,
    age: round((track.lastSeen - track.firstSeen) / 1000, 1000),
    hits: track.hits,
  };
}

function rounded({ x, y, width, height }: Box): Box {
  return { x: round(x), y: round(y), width: round(width), height: round(height) };
}

function round(value: number, steps = 100): number {
  return Math.round(value * steps) / steps;
}

function checked(settings: TrackerSettings): TrackerSettings {
  for (const name of ['highScore', 'lowScore', 'newScore', 'highOverlap', 'lowOverlap', 'tentativeOverlap'] as const) {
    const value = settings[name];
    if (!(value >= 0 && value <= 1)) throw invalidSetting(name, 'a number from 0 to 1', value);
  }
  if (settings.lowScore > settings.highScore) {
    throw invalidSetting('lowScore', `at most highScore (${settings.highScore})`, settings.lowScore);
  }
  whole('confirmFrames', settings.confirmFrames, 1, 100);
  whole('mostTracks', settings.mostTracks, 1, 300);
  whole('mostDetections', settings.mostDetections, 1, 300);
  if (!(settings.coastSeconds >= 0 && settings.coastSeconds <= settings.lostSeconds)) {
    throw invalidSetting('coastSeconds', `a number from 0 to lostSeconds (${settings.lostSeconds})`, settings.coastSeconds);
  }
  if (!(settings.weakSeconds >= 0 && settings.weakSeconds <= 3600)) {
    throw invalidSetting('weakSeconds', 'a number from 0 to 3600', settings.weakSeconds);
  }
  if (!(settings.lostSeconds >= 0 && settings.lostSeconds <= 3600)) {
    throw invalidSetting('lostSeconds', 'a number from 0 to 3600', settings.lostSeconds);
  }
  return settings;
}

function whole(name: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw invalidSetting(name, `a whole number from ${least} to ${most}`, value);
  }
}
