import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import type { SessionOptions } from './backend';
import type { Limits } from './limits';
import type { Measurement } from './measure';

/** How a model's first run on this device ended, in a process of its own; what later decides where the model may be opened. */
export type Trial = Passed | Failed;

export interface Passed {
  verdict: 'passed';
  measurement: Measurement;
  /** Whether it may run on Node-RED's own thread. */
  tiny: boolean;
  /** What served best, and what was measured for it, where a choice was tried. */
  threads: number;
  note?: string;
  /**
   * `entered` is written before the model is first opened inside Node-RED's process and `left` after its first run there. Who finds
   * `entered` from an earlier life knows how that ended.
   */
  inside?: 'entered' | 'left';
  /** How often it has failed before, which decides how long the next failure is remembered. */
  failures: number;
  at: number;
}

export interface Failed {
  verdict: 'failed';
  /** Whether it died when it was opened, or later when it ran. */
  stage: 'opening' | 'running';
  /** `inside`: Node-RED itself ended while the model was first opened in its process. */
  cause: 'signal' | 'timeout' | 'memory' | 'inside';
  /** In words: "SIGILL". */
  detail: string;
  /** What it was not to go beyond; a wider limit makes the failure void. */
  limits: Limits;
  failures: number;
  at: number;
}

/** What a trial is about: another of any of these is another trial. */
export interface Subject {
  sha256: string;
  backend: string;
  /** Version of the engine. */
  engine: string;
  options: SessionOptions;
}

const DAY_MS = 24 * 3600 * 1000;
/** A process that was killed from outside was more likely in the way of others than wrong. */
const KILLED_MS = 3600 * 1000;
const MOST_DOUBLINGS = 5;

/** Milliseconds since the epoch until which a failure counts: a day, twice as long after each further one. */
export function rememberedUntil({ at, detail, failures }: Failed): number {
  if (detail === 'SIGKILL') return at + KILLED_MS;
  return at + DAY_MS * 2 ** Math.min(MOST_DOUBLINGS, Math.max(0, failures - 1));
}

/** Whether a failure still says something about a model that now has these limits. */
export function counts(failure: Failed, limits: Limits, now = Date.now()): boolean {
  if (now >= rememberedUntil(failure)) return false;
  if (failure.cause === 'timeout') return limits.runMs <= failure.limits.runMs;
  return failure.cause !== 'memory' || limits.memoryBytes <= failure.limits.memoryBytes;
}

/**
 * The trials of one folder, a file of JSON each: written beside its place, flushed and renamed. What cannot be read is no trial;
 * where the folder cannot be written, or there is none, trials are remembered until Node-RED ends.
 */
export class Trials {
  private readonly remembered = new Map<string, Trial>();
  /** What is being opened inside this process for the first time: `entered` is of this life. */
  private readonly entering = new Set<string>();

  constructor(private readonly folder: string | undefined) {}

  async read(subject: Subject): Promise<Trial | undefined> {
    const name = nameOf(subject);
    const remembered = this.remembered.get(name);
    if (remembered || this.folder === undefined) return remembered;
    try {
      const written = JSON.parse(await readFile(join(this.folder, name), 'utf8')) as Written;
      return identity(written.subject, written.subject.machine) === identity(subject) && isTrial(written.trial)
        ? written.trial
        : undefined;
    } catch {
      return undefined;
    }
  }

  /** Never rejects. */
  async write(subject: Subject, trial: Trial): Promise<void> {
    const name = nameOf(subject);
    this.remembered.set(name, trial);
    if (this.folder === undefined) return;
    try {
      const written: Written = { subject: { ...subject, machine: machine() }, trial, written: new Date(trial.at).toISOString() };
      await replaceFile(this.folder, name, `${JSON.stringify(written, null, 2)}\n`);
      // From now on the file counts, also when somebody removes it.
      this.remembered.delete(name);
    } catch {
      // Read-only or full: the memory has it.
    }
  }

  /** Whether Node-RED ended the last time when this was first opened inside its process. */
  endedInside(subject: Subject, trial: Passed): boolean {
    return trial.inside === 'entered' && !this.entering.has(nameOf(subject));
  }

  /** Do what opens the model inside this process; the first time it is written down before and after. */
  async enter<T>(subject: Subject, trial: Passed, open: () => Promise<T>): Promise<T> {
    const name = nameOf(subject);
    if (trial.inside === 'left' || this.entering.has(name)) return open();
    this.entering.add(name);
    try {
      await this.write(subject, { ...trial, inside: 'entered' });
      const opened = await open();
      await this.write(subject, { ...trial, inside: 'left', failures: 0 });
      return opened;
    } catch (thrown) {
      // It was refused, and nothing ended.
      await this.write(subject, trial);
      throw thrown;
    } finally {
      this.entering.delete(name);
    }
  }
}

const folders = new Map<string | undefined, Trials>();

/** The trials of a folder, the same for every host of this process; without one, those that are only remembered. */
export function trialsIn(folder: string | undefined): Trials {
  const known = folders.get(folder) ?? new Trials(folder);
  folders.set(folder, known);
  return known;
}

interface Written {
  subject: Subject & { machine: string };
  trial: Trial;
  /** For people. */
  written: string;
}

async function replaceFile(folder: string, name: string, text: string): Promise<void> {
  const partial = join(folder, `.partial-${process.pid}-${randomBytes(6).toString('hex')}`);
  await mkdir(folder, { recursive: true });
  try {
    const file = await open(partial, 'wx');
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, join(folder, name));
  } catch (thrown) {
    await rm(partial, { force: true }).catch(() => {});
    throw thrown;
  }
}

let processor: string | undefined;

/** The folder may be carried to another device, whose processor knows other instructions. */
function machine(): string {
  processor ??= `${process.platform} ${process.arch} ${cpus()[0]?.model ?? ''}`.trim();
  return processor;
}

function identity({ sha256, backend, engine, options }: Subject, device = machine()): string {
  const sorted = Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([sha256, backend, engine, sorted, device]);
}

function nameOf(subject: Subject): string {
  const digest = createHash('sha256').update(identity(subject)).digest('hex');
  const model = /^[0-9a-f]{64}$/.test(subject.sha256) ? subject.sha256.slice(0, 16) : 'model';
  return `${model}-${digest.slice(0, 16)}.json`;
}

function isTrial(value: unknown): value is Trial {
  if (typeof value !== 'object' || value === null) return false;
  const { verdict, at, failures } = value as Trial;
  if (!Number.isFinite(at) || !Number.isFinite(failures)) return false;
  return verdict === 'passed' ? isPassed(value as Passed) : verdict === 'failed' && isFailed(value as Failed);
}

function isPassed({ measurement, tiny, threads, note, inside }: Passed): boolean {
  const { medianMs, batchable } = (measurement ?? {}) as Partial<Measurement>;
  return (
    Number.isInteger(threads) &&
    threads > 0 &&
    typeof tiny === 'boolean' &&
    (note === undefined || typeof note === 'string') &&
    (medianMs === undefined || Number.isFinite(medianMs)) &&
    typeof batchable === 'boolean' &&
    [undefined, 'entered', 'left'].includes(inside)
  );
}

function isFailed({ stage, cause, detail, limits }: Failed): boolean {
  return (
    ['opening', 'running'].includes(stage) &&
    ['signal', 'timeout', 'memory', 'inside'].includes(cause) &&
    typeof detail === 'string' &&
    Number.isFinite(limits?.runMs) &&
    Number.isFinite(limits.memoryBytes)
  );
}
