import type { EdgeError, ErrorCode } from '../../core/errors';

/** First and longest pause before a model that could not be loaded is tried again, in milliseconds. */
const FIRST_MS = 5_000;
const LONGEST_MS = 300_000;
/** An error may ask for a day; a timer holds 24 days and takes more for no time at all. */
const LONGEST_TIMER_MS = 24 * 3600 * 1000;

/** Failures that may pass without anybody's doing: a network that comes up later, a disk that is mounted later. */
const PASSING: ReadonlySet<ErrorCode> = new Set([
  'EDGE_MODEL_DOWNLOAD',
  'EDGE_MODEL_NOT_FOUND',
  'EDGE_STORE_WRITE',
  'EDGE_WORKER_EXITED',
  'EDGE_MODEL_CRASHED',
  'EDGE_MODEL_TIMEOUT',
  'EDGE_MODEL_MEMORY',
]);

/** Tries again what may succeed later, at longer and longer pauses. */
export class Retry {
  private timer: NodeJS.Timeout | undefined;
  private pause = FIRST_MS;

  /** Plan another try, if the failure is one that may pass; a try that was planned before is called off. */
  after(error: EdgeError, again: () => void): void {
    clearTimeout(this.timer);
    if (!PASSING.has(error.code)) return;
    this.timer = setTimeout(again, pauseFor(this.pause, error)).unref();
    this.pause = Math.min(this.pause * 2, LONGEST_MS);
  }

  /** It went well, or is pointless: no further try, and the next failure begins with the first pause. */
  stop(): void {
    clearTimeout(this.timer);
    this.pause = FIRST_MS;
  }
}

/** Not before the error says that it may help. */
function pauseFor(pause: number, { retryAfter = 0 }: EdgeError): number {
  return Math.min(Math.max(pause, retryAfter), LONGEST_TIMER_MS);
}
