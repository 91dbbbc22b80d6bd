import { totalmem } from 'node:os';

/** How far a model may go before it is taken for hung or runaway. */
export interface Limits {
  /** Most milliseconds of one run. */
  runMs: number;
  /** Most bytes that the process of a model may hold in memory; watched only where it has one of its own. */
  memoryBytes: number;
}

/** Most milliseconds of a run where nobody chose; a model that was measured to be slow gets 20 times what was measured. */
const RUN_MS = 30_000;
const SLACK = 20;

/** Milliseconds for reading a model: gigabytes from an SD card, and the engine's own optimising, on a small computer. */
export const OPEN_MS = 180_000;

/** The share of this machine's memory that one model may hold where nobody chose. */
const MEMORY_SHARE = 0.5;

/** What was chosen, and this machine's own limits for the rest. */
export function limitsOf(chosen: Partial<Limits>, medianMs = 0): Limits {
  return {
    runMs: chosen.runMs ?? Math.max(RUN_MS, SLACK * medianMs),
    memoryBytes: chosen.memoryBytes ?? Math.round(MEMORY_SHARE * machineMemory()),
  };
}

/** Bytes that this machine has, or that its container is given. */
export function machineMemory(): number {
  // 0 or astronomical where nothing constrains it.
  const constrained = process.constrainedMemory?.() ?? 0;
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}
