import type { EdgeError } from '../errors';
import { EdgeError as Failure } from '../errors';
import type { OutgoingMessage, Outlet } from './sender';
import { type Announcement, type MqttSession, openSession, type SessionOptions } from './session';

export interface ConnectionOptions extends SessionOptions {
  /** Sent at every connect. */
  birth?: Announcement;
  /** Sent before a clean end, where the broker does not send the will. */
  goodbye?: Announcement;
  /** Milliseconds before the first and at most before any later try to connect again. */
  backoff?: { firstMs: number; longestMs: number };
}

export type ConnectionState =
  | { phase: 'connecting' }
  | { phase: 'online' }
  /** `error` says why, and the next try is on its way. */
  | { phase: 'offline'; error: EdgeError }
  | { phase: 'closed' };

const BACKOFF = { firstMs: 1000, longestMs: 30_000 };
/** A connection that held for this long starts the backoff anew; two clients with one id would throw each other out otherwise. */
const STABLE_MS = 10_000;

/**
 * A connection that never gives up: it is opened again after any end but its own `close()`, with a growing, jittered pause, so
 * that a hundred devices do not come back in the same second. While there is none, `publish` fails with EDGE_BROKER_OFFLINE:
 * nothing waits unseen in memory.
 */
export class MqttConnection implements Outlet {
  private readonly closing = new AbortController();
  private readonly running: Promise<void>;
  private session: MqttSession | undefined;
  private lastError: EdgeError | undefined;

  constructor(
    private readonly options: ConnectionOptions,
    private readonly onState: (state: ConnectionState) => void,
  ) {
    this.running = this.run();
  }

  async publish(message: OutgoingMessage): Promise<void> {
    if (!this.session) {
      const { lastError } = this;
      throw new Failure('EDGE_BROKER_OFFLINE', lastError?.message, lastError ? { cause: lastError } : {});
    }
    await this.session.publish(message);
  }

  /** Say goodbye, disconnect, stop trying. Takes seconds at most, whatever the broker does. */
  async close(): Promise<void> {
    if (!this.closing.signal.aborted) {
      const { session } = this;
      if (session && this.options.goodbye) void announce(session, this.options.goodbye);
      this.closing.abort();
      await session?.end();
    }
    await this.running;
  }

  private async run(): Promise<void> {
    const { signal } = this.closing;
    const { firstMs, longestMs } = this.options.backoff ?? BACKOFF;
    // The caller's constructor finishes before it hears of a state.
    await Promise.resolve();
    this.onState({ phase: 'connecting' });
    let failures = 0;
    while (!signal.aborted) {
      try {
        const session = await openSession(this.options, signal);
        const since = Date.now();
        const reason = await this.live(session);
        if (Date.now() - since >= STABLE_MS) failures = 0;
        if (reason && !signal.aborted) this.show(reason);
      } catch (thrown) {
        if (!signal.aborted) this.show(thrown as EdgeError);
      }
      failures += 1;
      await pause(jittered(Math.min(longestMs, firstMs * 2 ** Math.min(failures - 1, 20))), signal);
    }
    this.onState({ phase: 'closed' });
  }

  /** One session, from online to its end. */
  private async live(session: MqttSession): Promise<EdgeError | undefined> {
    if (this.closing.signal.aborted) {
      await session.end();
      return undefined;
    }
    this.session = session;
    this.lastError = undefined;
    if (this.options.birth) void announce(session, this.options.birth);
    this.onState({ phase: 'online' });
    const reason = await session.closed;
    this.session = undefined;
    return reason;
  }

  private show(error: EdgeError): void {
    this.lastError = error;
    this.onState({ phase: 'offline', error });
  }
}

async function announce(session: MqttSession, { topic, payload, qos, retain }: Announcement): Promise<void> {
  try {
    await session.publish({ topic, payload: Buffer.from(payload), qos, retain });
  } catch {
    // A connection that fails here says so itself.
  }
}

/** Half of the pause to the whole of it. */
function jittered(milliseconds: number): number {
  return milliseconds * (0.5 + Math.random() / 2);
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(end, milliseconds);
    function end() {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    }
    signal.addEventListener('abort', end);
  });
}
