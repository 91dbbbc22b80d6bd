import type { Frame } from './frame';

/** Milliseconds spent at each stage of a message's way; stages a message did not pass are absent. */
export interface Timings {
  capture?: number;
  prepare?: number;
  queue?: number;
  run?: number;
  decode?: number;
}

/** `msg.edge`: where a value came from. It is plain and small, since Node-RED clones it on every extra wire. */
export interface Provenance {
  /** The camera's, recording's or sensor's name; cameras through one node stay apart by it. */
  source: string;
  /** Counts up from 0 at the source; a gap is a drop. */
  sequence: number;
  /** Milliseconds since the epoch, UTC. */
  capturedAt: number;
  timings: Timings;
  /** The picture that a result was made from, kept by reference for preview, events and snapshots. */
  frame?: Frame;
}

const counters = new Map<string, number>();

/** The provenance of a message, or a new one for a value that came from a node of another palette. */
export function provenanceOf(message: { edge?: unknown; topic?: unknown }, fallbackSource: string): Provenance {
  const edge = message.edge;
  if (typeof edge === 'object' && edge !== null && typeof (edge as Provenance).source === 'string') {
    const known = edge as Provenance;
    return {
      source: known.source,
      sequence: Number.isFinite(known.sequence) ? known.sequence : 0,
      capturedAt: Number.isFinite(known.capturedAt) ? known.capturedAt : Date.now(),
      timings: typeof known.timings === 'object' && known.timings !== null ? { ...known.timings } : {},
      ...(known.frame ? { frame: known.frame } : {}),
    };
  }
  const source = typeof message.topic === 'string' && message.topic !== '' ? message.topic.slice(0, 256) : fallbackSource;
  return { source, sequence: nextSequence(source), capturedAt: Date.now(), timings: {} };
}

function nextSequence(source: string): number {
  const next = counters.get(source) ?? 0;
  // Sources are topics of foreign messages: bounded, so that a topic per message cannot grow this for ever.
  if (counters.size > 1000 && next === 0) counters.clear();
  counters.set(source, next + 1);
  return next;
}
