import { EdgeError } from '../../errors';
import { findBackend } from '../backends';
import { limitsOf } from '../limits';
import type { OpenSpec, Session } from '../session';
import { counts, type Failed, type Passed, rememberedUntil, type Subject, type Trial, type Trials, trialsIn } from '../trials';
import { CODE_OF, type Death } from './death';
import { MainSession } from './main';
import { type Begun, begin, RemoteSession } from './remote';
import { isTiny, type Tried, tryOut } from './try-out';

export interface PlacedSpec extends OpenSpec {
  placement: 'auto' | 'worker' | 'main' | 'process';
  /** Where it is written down how models did here; without one it is remembered until Node-RED ends. */
  stateFolder?: string;
  /** Whether a model that was never seen here runs in a process first. */
  tryFirst: boolean;
  /** Try a model anew that ended badly before. */
  retry: boolean;
}

/**
 * Open a model where it belongs. One that this device has not seen before is opened and run in a process of its own first, where a
 * crash, a hang or a lack of memory takes nothing along; how that went is remembered, and with it what was measured. One that ended
 * badly is not opened inside Node-RED's process: it runs in one of its own, or is refused where it cannot even be opened.
 */
export async function openSession(spec: PlacedSpec): Promise<Session> {
  const { placement } = spec;
  const kept = findBackend(spec.backend).ownThreadOnly && placement !== 'process';
  const opening = new Opening(kept ? { ...spec, placement: 'worker' } : spec);
  const session = await (placement === 'process' ? opening.outside() : opening.whereItBelongs());
  if (kept && placement === 'main') session.info.notes.push(`${spec.backend} runs in a thread of its own only`);
  return session;
}

class Opening {
  private readonly trials: Trials;
  private readonly subject: Subject;

  constructor(private readonly spec: PlacedSpec) {
    const { sha256, backend, stateFolder } = spec;
    // Where a graph is kept says nothing on how a model does.
    const { optimised: _, ...options } = spec.options;
    this.trials = trialsIn(stateFolder);
    this.subject = { sha256, backend, engine: findBackend(backend).installedVersion?.() ?? 'unknown', options };
  }

  /** In a process of its own, also what died there before. */
  async outside(): Promise<Session> {
    const past = await this.past();
    if (past?.verdict === 'passed') return this.passed(past);
    if (past?.stage === 'running') return this.suspected([]);
    const { trial, begun, error } = await this.tried();
    if (trial.verdict === 'passed') return this.passed(trial, begun);
    if (trial.stage === 'opening') throw error;
    return this.suspected([`A first run ended badly (${trial.detail})`]);
  }

  /** Inside Node-RED's process where nothing speaks against it: in a thread, or on its own where it is tiny. */
  async whereItBelongs(): Promise<Session> {
    let trial = await this.past();
    let begun: Begun | undefined;
    if (!trial && this.spec.tryFirst) {
      try {
        ({ trial, begun } = await this.tried());
        await begun?.life.stop();
      } catch (thrown) {
        if ((thrown as EdgeError).code !== 'EDGE_WORKER_EXITED') throw thrown;
        return this.untried([`It could not be tried in a process of its own first: ${(thrown as Error).message}`]);
      }
    }
    if (!trial) return this.untried([]);
    if (trial.verdict === 'passed') return this.inside(trial);
    if (trial.stage === 'opening') throw refusal(trial);
    return this.suspected([sentenceOf(trial)]);
  }

  /** What is known of the model and still counts. */
  private async past(): Promise<Trial | undefined> {
    const { spec, trials, subject } = this;
    let trial = await trials.read(subject);
    if (trial?.verdict === 'passed') {
      const detail = trials.endOfNodeRed(subject, trial);
      if (detail === undefined) return trial;
      trial = this.failure('running', { cause: 'inside', detail }, trial.failures);
      await trials.write(subject, trial);
    }
    return trial && !spec.retry && counts(trial, limitsOf(spec.limits)) ? trial : undefined;
  }

  /** @throws as `tryOut` */
  private async tried(): Promise<Tried> {
    const before = await this.trials.read(this.subject);
    const tried = await tryOut(this.spec, before?.failures ?? 0);
    await this.trials.write(this.subject, tried.trial);
    return tried;
  }

  private inside(trial: Passed): Promise<Session> {
    const { placement } = this.spec;
    const { measurement, threads } = trial;
    const spec = { ...this.spec, options: { ...this.spec.options, threads } };
    return this.trials.enter(this.subject, trial, async () => {
      if (placement === 'main' || (placement === 'auto' && trial.tiny)) {
        return MainSession.open(spec, measurement, notesOf(trial, placement === 'auto' ? WHY_MAIN : undefined));
      }
      const begun = await begin(spec, 'worker', measurement, measurement.medianMs);
      return this.remote(spec, 'worker', begun, notesOf(trial));
    });
  }

  /** Inside Node-RED's process without a trial: it is measured there. */
  private async untried(notes: readonly string[]): Promise<Session> {
    const { spec } = this;
    if (spec.placement === 'main') return MainSession.open(spec, undefined, notes);
    const begun = await begin(spec, 'worker', true);
    const { medianMs, batchable } = begun.ready;
    if (spec.placement === 'worker' || !isTiny(begun.ready)) return this.remote(spec, 'worker', begun, notes);
    await begun.life.stop();
    return MainSession.open(spec, { medianMs, batchable }, [...notes, WHY_MAIN]);
  }

  /** In a process, as it did well in one. */
  private async passed(trial: Passed, begun?: Begun): Promise<Session> {
    const { measurement, threads } = trial;
    const spec = { ...this.spec, options: { ...this.spec.options, threads } };
    const life = begun ?? (await begin(spec, 'process', measurement, measurement.medianMs));
    return this.remote(spec, 'process', life, notesOf(trial));
  }

  /** In a process, without a made-up run: it may be what it dies of. */
  private async suspected(warnings: readonly string[]): Promise<Session> {
    return this.remote(this.spec, 'process', await begin(this.spec, 'process', false), [], warnings);
  }

  private remote(
    spec: OpenSpec,
    placement: 'worker' | 'process',
    begun: Begun,
    notes: readonly string[],
    warnings: readonly string[] = [],
  ): Session {
    const onDeath = (death: Death) => void this.remember(death);
    return new RemoteSession(spec, { placement, begun, notes, warnings, onDeath });
  }

  /** A model that ran, and then did not. */
  private async remember(death: Death): Promise<void> {
    const before = await this.trials.read(this.subject);
    await this.trials.write(this.subject, this.failure('running', death, before?.failures ?? 0));
  }

  private failure(stage: Failed['stage'], death: Pick<Failed, 'cause' | 'detail'>, before: number): Failed {
    const limits = limitsOf(this.spec.limits);
    return { verdict: 'failed', stage, ...death, limits, failures: before + 1, at: Date.now() };
  }
}

const WHY_MAIN = "A run is shorter than the way to another thread and back: it runs on Node-RED's thread";

function notesOf({ note }: Passed, more?: string): string[] {
  return [note, more].filter((sentence) => sentence !== undefined);
}

/** Why a model is in a process of its own that nobody asked for. */
function sentenceOf(failure: Failed): string {
  const { cause, detail } = failure;
  const what = cause === 'inside' ? detail : `A run of this model ended badly here (${detail})`;
  return `${what}: until ${date(rememberedUntil(failure))} it runs in a process of its own`;
}

function refusal(failure: Failed): EdgeError {
  const { cause, detail, at } = failure;
  const until = rememberedUntil(failure);
  const code = cause === 'inside' ? 'EDGE_MODEL_CRASHED' : CODE_OF[cause];
  const found = `${detail}, when it was opened on ${date(at)}; it is not opened again before ${date(until)}`;
  return new EdgeError(code, found, {
    mend: 'To try it at once, press "On the packaged picture" at the model, or let it run in a process of its own',
    retryAfter: Math.max(0, until - Date.now()),
  });
}

function date(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
