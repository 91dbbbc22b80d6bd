import { asEdgeError, EdgeError } from '../../errors';
import { sleep } from '../sleep';
import type { CameraSource, CapturedPicture } from './camera-source';

export type CameraState = 'connecting' | 'waiting';

export interface CameraEvents {
  onPicture(picture: CapturedPicture): void;
  /** `connecting` before each connection, `waiting` before the next try after an error. */
  onState(state: CameraState): void;
  onError(error: EdgeError): void;
}

interface Asking {
  resolve(picture: CapturedPicture): void;
  reject(error: EdgeError): void;
}

/** Milliseconds before the first and the longest wait until the next try; doubled after each failure, halved at random. */
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;

/** Takes pictures from a source at most so often a second, and never gives up: after an error it tries again, later and later. */
export class Camera {
  private readonly controller = new AbortController();
  private running: Promise<void> = Promise.resolve();
  private asking: Asking[] = [];
  private hurry: (() => void) | undefined;
  /** Why there is no connection; undefined while there is one or is to be one. */
  private lost: EdgeError | undefined;

  constructor(
    private readonly source: CameraSource,
    private readonly framesPerSecond: number,
    private readonly events: CameraEvents,
    private readonly firstWaitMs = FIRST_WAIT_MS,
  ) {}

  /** True where a second connection for one picture would be wrong: a stream takes a second to open, a USB camera serves only one. */
  get shared(): boolean {
    return this.source.kind === 'video';
  }

  start(): void {
    this.running = this.run(this.controller.signal);
  }

  /**
   * The newest picture of the running camera as soon as there is one, also where its rate would let it wait.
   * @throws the error that ended the connection, EDGE_SESSION_CLOSED when it is stopped
   */
  next(): Promise<CapturedPicture> {
    if (this.lost) return Promise.reject(this.lost);
    return new Promise((resolve, reject) => {
      this.asking.push({ resolve, reject });
      this.hurry?.();
    });
  }

  /** Resolves when nothing of it is left. */
  async stop(): Promise<void> {
    this.controller.abort();
    this.answer(({ reject }) => reject(new EdgeError('EDGE_SESSION_CLOSED', 'the camera was stopped')));
    await this.running;
    this.source.close();
  }

  private async run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    let longest = LONGEST_WAIT_MS;
    while (!signal.aborted) {
      this.lost = undefined;
      this.events.onState('connecting');
      try {
        let due = performance.now();
        for await (const picture of this.source.pictures(signal)) {
          if (signal.aborted) return;
          failures = 0;
          this.answer(({ resolve }) => resolve(picture));
          this.events.onPicture(picture);
          if (this.source.paced) continue;
          due = Math.max(due + 1000 / this.framesPerSecond, performance.now());
          await this.wait(due - performance.now(), signal);
        }
      } catch (thrown) {
        if (signal.aborted) return;
        const error = asEdgeError(thrown);
        this.lost = error;
        this.answer(({ reject }) => reject(error));
        this.events.onError(error);
        longest = (error.retryAfter !== undefined && this.source.longestWaitMs) || LONGEST_WAIT_MS;
        // Wrong passwords lock accounts: not asked again and again.
        if (error.code === 'EDGE_SOURCE_CREDENTIALS') failures = Math.max(failures, 5);
      }
      if (signal.aborted) return;
      this.events.onState('waiting');
      const wait = Math.min(longest, this.firstWaitMs * 2 ** failures);
      failures += 1;
      // Jitter: twenty cameras behind one switch must not all come back in the same moment.
      await sleep(wait * (0.5 + Math.random() / 2), signal);
    }
  }

  private answer(how: (asking: Asking) => void): void {
    const { asking } = this;
    this.asking = [];
    for (const each of asking) how(each);
  }

  /** Until the next picture is due, or somebody asks for one. */
  private async wait(ms: number, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const end = () => over.abort();
    this.hurry = end;
    signal.addEventListener('abort', end);
    if (this.asking.length === 0) await sleep(ms, over.signal);
    signal.removeEventListener('abort', end);
    this.hurry = undefined;
  }
}
