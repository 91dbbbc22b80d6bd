import { EdgeError } from '../errors';
import { Histogram } from '../metrics';
import type { SessionOptions, Tensors } from './backend';
import { DEFAULT_BACKEND } from './backends';
import type { Limits } from './limits';
import { openSession } from './placement';
import { hungThreads } from './placement/thread';
import type { RunResult, Session, SessionInfo, SessionStats } from './session';
import { within } from './within';

export type { RunResult, SessionInfo } from './session';

export interface SessionSpec {
  /** The model's file. */
  path: string;
  /** Of the file, lower-case hex: what makes two specs the same model, wherever the file lies. */
  sha256: string;
  backend?: string;
  /** `auto` measures the model and takes `main` only for one under 0.3 ms. */
  placement?: 'auto' | 'worker' | 'main' | 'process';
  options?: SessionOptions;
  /** Where they are not this machine's own. */
  limits?: Partial<Limits>;
  /** The folder in which it is written down how models did here; without one it is remembered until Node-RED ends. */
  stateFolder?: string;
  /** Try a model anew that ended badly here before. */
  retry?: boolean;
  /** What the model is called in metrics, for the first who asks; not part of what makes two specs the same. */
  name?: string;
}

/** One user's share of a session. */
export interface Lease {
  readonly info: SessionInfo;
  /** @throws what `Session.run` throws; EDGE_SESSION_CLOSED after `release`. */
  run(feeds: Tensors, signal?: AbortSignal): Promise<RunResult>;
  /** Withdraws this lease's waiting runs, and resolves when none of its runs is on its way. The last lease closes the session. */
  release(): Promise<void>;
}

export interface HostStats {
  /** Threads that were given up inside the engine, and still are there. */
  hungThreads: number;
  sessions: (SessionStats & SessionTimes & { name: string; sha256: string; info: SessionInfo; leases: number })[];
}

/** Seconds, since the session was opened. */
export interface SessionTimes {
  run: Histogram;
  queue: Histogram;
  /** From asking for the session to its first possible run, measuring included. */
  load: number;
}

/**
 * A redeploy closes every node and then makes them all again: a session without a lease is kept for this long, so that a model
 * about which nothing changed is not loaded a second time.
 */
const LINGER_MS = 2000;

/** Most milliseconds for which `release` waits for a run, so that a close handler of Node-RED keeps within its 15 s. */
const RELEASE_MS = 12_000;

interface Entry {
  name: string;
  sha256: string;
  times: SessionTimes;
  opening: Promise<Session>;
  session?: Session;
  leases: number;
  linger?: NodeJS.Timeout;
}

/** Opens models, each once: sessions are shared by everyone who asks for the same model, backend, options and placement. */
export class InferenceHost {
  private readonly entries = new Map<string, Entry>();
  private readonly closing = new Set<Promise<void>>();
  private closed = false;

  /** @param tryFirst whether a model that was never seen here runs in a process of its own first; not for files that are trusted. */
  constructor(
    private readonly lingerMs = LINGER_MS,
    private readonly tryFirst = true,
  ) {}

  /** @throws EDGE_RUNTIME_MISSING, EDGE_MODEL_NOT_FOUND, EDGE_MODEL_INVALID, EDGE_MODEL_UNSUPPORTED, EDGE_MODEL_EXTERNAL_DATA, EDGE_WORKER_EXITED, EDGE_MODEL_CRASHED, EDGE_MODEL_TIMEOUT, EDGE_MODEL_MEMORY */
  async acquire(spec: SessionSpec): Promise<Lease> {
    if (this.closed) throw new EdgeError('EDGE_SESSION_CLOSED', 'the inference host was closed');
    const key = keyOf(spec);
    const entry = this.entries.get(key) ?? this.open(key, spec);
    clearTimeout(entry.linger);
    entry.leases += 1;
    const session = await entry.opening;
    return new SessionLease(session, entry.times, () => this.release(key, entry));
  }

  stats(): HostStats {
    const sessions: HostStats['sessions'] = [];
    for (const { name, sha256, times, session, leases } of this.entries.values()) {
      if (session) sessions.push({ name, sha256, info: session.info, leases, ...times, ...session.stats() });
    }
    return { hungThreads: hungThreads(), sessions };
  }

  /** Closes every session, leased or not, and waits until all are gone. */
  async close(): Promise<void> {
    this.closed = true;
    for (const [key, entry] of this.entries) this.evict(key, entry);
    await Promise.all(this.closing);
  }

  private open(key: string, spec: SessionSpec): Entry {
    const { sha256, backend = DEFAULT_BACKEND, placement = 'auto', options = {}, limits = {}, retry = false } = spec;
    const { tryFirst } = this;
    const opening = openSession({ ...spec, backend, placement, options, limits, retry, tryFirst });
    const times = { run: new Histogram(), queue: new Histogram(), load: 0 };
    const entry: Entry = { name: spec.name ?? sha256.slice(0, 12), sha256, times, opening, leases: 0 };
    const asked = performance.now();
    this.entries.set(key, entry);
    opening.then(
      (session) => {
        times.load = (performance.now() - asked) / 1000;
        entry.session = session;
      },
      // A model that could not be opened is tried anew by the next one who asks.
      () => this.entries.get(key) === entry && this.entries.delete(key),
    );
    return entry;
  }

  private release(key: string, entry: Entry): void {
    entry.leases -= 1;
    if (entry.leases > 0 || this.entries.get(key) !== entry) return;
    entry.linger = setTimeout(() => this.evict(key, entry), this.lingerMs);
    entry.linger.unref();
  }

  private evict(key: string, entry: Entry): void {
    clearTimeout(entry.linger);
    this.entries.delete(key);
    const closing = entry.opening.then(
      (session) => session.close(),
      () => {},
    );
    this.closing.add(closing);
    void closing.finally(() => this.closing.delete(closing));
  }
}

let shared: InferenceHost | undefined;

/** The one host of this process. */
export function sharedHost(): InferenceHost {
  shared ??= new InferenceHost();
  return shared;
}

class SessionLease implements Lease {
  readonly info: SessionInfo;
  private readonly runs = new Set<Promise<unknown>>();
  private released: Promise<void> | undefined;

  constructor(
    private readonly session: Session,
    private readonly times: SessionTimes,
    private readonly giveBack: () => void,
  ) {
    this.info = session.info;
  }

  async run(feeds: Tensors, signal?: AbortSignal): Promise<RunResult> {
    if (this.released) throw new EdgeError('EDGE_SESSION_CLOSED');
    const running = this.session.run(feeds, { owner: this, signal });
    this.runs.add(running);
    try {
      const result = await running;
      this.times.run.observe(result.runMs / 1000);
      this.times.queue.observe(result.queueMs / 1000);
      return result;
    } finally {
      this.runs.delete(running);
    }
  }

  release(): Promise<void> {
    this.released ??= this.end();
    return this.released;
  }

  private async end(): Promise<void> {
    this.session.withdraw(this);
    await within(RELEASE_MS, Promise.allSettled(this.runs));
    this.giveBack();
  }
}

function keyOf({ sha256, backend = DEFAULT_BACKEND, placement = 'auto', options = {}, limits = {} }: SessionSpec): string {
  const { threads = 'auto', executionProvider = 'cpu', preciseInt8 = false } = options;
  return JSON.stringify([sha256, backend, placement, threads, executionProvider, preciseInt8, limits.runMs, limits.memoryBytes]);
}
