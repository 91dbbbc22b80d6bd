import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
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
   * `entered` is written before the model is first opened inside Node-RED's process, `open` after its first run there, `left` when
   * Node-RED has lived on for a while or ends in an orderly way. Who finds one of the first two from an earlier life knows that it
   * ended in no orderly way.
   */
  inside?: 'entered' | 'open' | 'left';
  /** How many lives in a row ended so, soon after the model was opened. */
  unclean?: number;
  /** How often it has failed before, which decides how long the next failure is remembered. */
  failures: number;
  at: number;
}

export interface Failed {
  verdict: 'failed';
  /** Whether it died when it was opened, or later when it ran. */
  stage: 'opening' | 'running';
  /** `inside`: Node-RED itself ended when the model was opened in its process. */
  cause: 'signal' | 'timeout' | 'memory' | 'inside';
  /** In words: "SIGILL"; of `inside` a sentence. */
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

/** Milliseconds after which the model that was opened is no longer suspected when Node-RED ends. */
const SOON_MS = 5 * 60_000;
/** As many sudden ends in a row are no power cuts any more. */
const MOST_UNCLEAN = 3;

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
  /** What was opened inside this process a short while ago, and its trial as it is to be when that while is over. */
  private readonly within = new Map<string, { subject: Subject; trial: Passed }>();

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
    // What was found out meanwhile counts more.
    if (trial.verdict === 'failed') this.within.delete(name);
    // Another opening at the same time had its own first run, and was slower.
    else if (trial.inside === undefined && this.within.has(name)) return;
    this.remembered.set(name, trial);
    if (this.folder === undefined) return;
    try {
      await replaceFile(this.folder, name, textOf(subject, trial));
      // From now on the file counts, also when somebody removes it.
      this.remembered.delete(name);
    } catch {
      // Read-only or full: the memory has it.
    }
  }

  /** How Node-RED ended in an earlier life, where that speaks against opening this inside its process again. */
  endOfNodeRed(subject: Subject, { inside, unclean = 0 }: Passed): string | undefined {
    if (this.within.has(nameOf(subject))) return undefined;
    if (inside === 'entered') return 'Node-RED ended the last time when this model was first opened in its process';
    if (inside !== 'open' || unclean < MOST_UNCLEAN) return undefined;
    return `Node-RED ended suddenly ${unclean} times in a row soon after this model was opened in its process`;
  }

  /** Do what opens the model inside this process, written down before and after. */
  async enter<T>(subject: Subject, trial: Passed, open: () => Promise<T>): Promise<T> {
    const name = nameOf(subject);
    if (this.within.has(name)) return open();
    const left = { ...trial, inside: 'left', unclean: 0 } as const;
    this.within.set(name, { subject, trial: trial.inside === undefined ? trial : left });
    try {
      const first = trial.inside === undefined;
      const unclean = (trial.inside === 'open' ? (trial.unclean ?? 0) : 0) + 1;
      await this.write(subject, { ...trial, inside: first ? 'entered' : 'open', unclean });
      const opened = await open();
      if (first) await this.write(subject, { ...trial, inside: 'open', unclean, failures: 0 });
      this.within.set(name, { subject, trial: { ...left, failures: 0 } });
      setTimeout(() => void this.leave(name), SOON_MS).unref();
      return opened;
    } catch (thrown) {
      // It was refused, and nothing ended.
      await this.leave(name);
      throw thrown;
    }
  }

  /** Before an orderly end of the process, when nothing can be waited for. */
  leaveAll(): void {
    for (const [name, { subject, trial }] of this.within) {
      try {
        if (this.folder !== undefined) writeFileSync(join(this.folder, name), textOf(subject, trial));
      } catch {
        // It could not be written before, either.
      }
    }
  }

  private async leave(name: string): Promise<void> {
    const entry = this.within.get(name);
    this.within.delete(name);
    if (entry) await this.write(entry.subject, entry.trial);
  }
}

const folders = new Map<string | undefined, Trials>();

/** The trials of a folder, the same for every host of this process; without one, those that are only remembered. */
export function trialsIn(folder: string | undefined): Trials {
  if (folders.size === 0) process.on('exit', leaveAll);
  const known = folders.get(folder) ?? new Trials(folder);
  folders.set(folder, known);
  return known;
}

function leaveAll(): void {
  for (const trials of folders.values()) trials.leaveAll();
}

interface Written {
  subject: Subject & { machine: string };
  trial: Trial;
  /** For people. */
  written: string;
}

function textOf(subject: Subject, trial: Trial): string {
  const written: Written = { subject: { ...subject, machine: machine() }, trial, written: new Date(trial.at).toISOString() };
  return `${JSON.stringify(written, null, 2)}\n`;
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

function isPassed({ measurement, tiny, threads, note, inside, unclean = 0 }: Passed): boolean {
  const { medianMs, batchable } = (measurement ?? {}) as Partial<Measurement>;
  return (
    Number.isInteger(threads) &&
    threads > 0 &&
    typeof tiny === 'boolean' &&
    (note === undefined || typeof note === 'string') &&
    (medianMs === undefined || Number.isFinite(medianMs)) &&
    typeof batchable === 'boolean' &&
    [undefined, 'entered', 'open', 'left'].includes(inside) &&
    Number.isInteger(unclean)
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
