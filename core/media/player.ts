import { asEdgeError, type EdgeError } from '../errors';
import type { RecordedFrame, Recording } from './recording';
import { sleep, untilAborted } from './sleep';

/** How fast a recording plays: a factor of its own speed, or as fast as `ready` allows. */
export type Pace = { factor: number } | { ready: () => Promise<void> };

export type PlayerState = 'playing' | 'paused' | 'ended' | 'stopped';

export interface PlayerEvents {
  onFrame(recorded: RecordedFrame): void;
  onState(state: PlayerState): void;
  /** Errors of single pictures, and the one that ended the play. */
  onError(error: EdgeError): void;
}

/** Milliseconds by which the play may lag before its clock is set anew: after a stop of the process it must not race. */
const LAG_MS = 1000;
/** Most passes over a recording that gave no picture, before a loop gives up. */
const EMPTY_PASSES = 1;

/** Plays a recording once or for ever. One play at a time; everything it holds is released by `stop`. */
export class Player {
  private current: AbortController | undefined;
  private running: Promise<void> = Promise.resolve();
  private paused = false;
  private resume: (() => void) | undefined;

  constructor(
    private readonly open: () => Promise<Recording>,
    private readonly options: { pace: Pace; loop: boolean },
    private readonly events: PlayerEvents,
  ) {}

  /** True while pictures come: not paused, ended or stopped. */
  get playing(): boolean {
    return this.current !== undefined && !this.paused;
  }

  /** Begin, or go on after a pause; nothing when it plays already. */
  start(): void {
    if (this.current) {
      if (this.paused) {
        this.paused = false;
        this.resume?.();
        this.events.onState('playing');
      }
      return;
    }
    const controller = new AbortController();
    this.current = controller;
    this.paused = false;
    this.running = this.running.then(() => this.play(controller));
  }

  pause(): void {
    if (!this.playing) return;
    this.paused = true;
    this.events.onState('paused');
  }

  async stop(): Promise<void> {
    const controller = this.current;
    this.current = undefined;
    controller?.abort();
    this.resume?.();
    await this.running;
    if (controller) this.events.onState('stopped');
  }

  private async play(controller: AbortController): Promise<void> {
    const { signal } = controller;
    try {
      const recording = await this.open();
      if (!signal.aborted) this.events.onState('playing');
      let empty = 0;
      while (!signal.aborted && empty < EMPTY_PASSES) {
        empty = (await this.pass(recording, signal)) > 0 ? 0 : empty + 1;
        if (!this.options.loop) break;
      }
      if (!signal.aborted) this.events.onState('ended');
    } catch (thrown) {
      if (!signal.aborted) this.events.onError(asEdgeError(thrown));
    } finally {
      if (this.current === controller) this.current = undefined;
    }
  }

  /** Once through the recording; how many pictures came. */
  private async pass(recording: Recording, signal: AbortSignal): Promise<number> {
    const { pace } = this.options;
    let frames = 0;
    let began = performance.now();
    let last = 0;
    for await (const recorded of recording.play(this.events.onError)) {
      if (this.paused) began += await this.pausedFor(signal);
      if ('factor' in pace) {
        const due = began + recorded.at / pace.factor;
        const now = performance.now();
        if (now - due > LAG_MS) began += now - due;
        else await sleep(due - now, signal);
        last = recorded.at;
      } else {
        await untilAborted(pace.ready(), signal);
      }
      if (signal.aborted) break;
      frames += 1;
      this.events.onFrame(recorded);
    }
    // The last picture stays for as long as the others, so that a loop keeps its rhythm and one picture does not race.
    if ('factor' in pace && !signal.aborted) {
      const period = frames > 1 ? last / (frames - 1) : 1000;
      await sleep(began + (last + period) / pace.factor - performance.now(), signal);
    }
    return frames;
  }

  private async pausedFor(signal: AbortSignal): Promise<number> {
    const since = performance.now();
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else this.resume = resolve;
    });
    this.resume = undefined;
    return performance.now() - since;
  }
}
