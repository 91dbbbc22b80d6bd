import type { Node, NodeAPI } from 'node-red';

/** Milliseconds after which a message is taken to be through, for nodes that never say that they are done with it. */
const GIVE_UP_MS = 10_000;

interface Delivery {
  msg: { _msgid?: string | undefined };
  destination: { node?: unknown };
}

interface Hooks {
  add(name: string, callback: (event: Delivery) => void): void;
  remove(name: string): void;
}

/** Node-RED keeps the input listeners here; a listener with three parameters says itself when it is done. */
interface Listening {
  _inputCallback?: ((...values: unknown[]) => void) | null;
  _inputCallbacks?: ((...values: unknown[]) => void)[] | null;
}

interface Flight {
  /** Nodes that have the message and are not done with it. */
  holders: number;
  timer: NodeJS.Timeout;
}

/**
 * "As fast as the flow takes it": Node-RED has no backpressure, so this counts for each message that a source sent how many
 * nodes still work on it or on what became of it (they keep its `_msgid`), and lets only `window` messages be under way.
 *
 * A node takes hold of a message at the hook `preDeliver`, before the one that sent it lets go: at `onComplete` when it calls
 * `done()`, or at `postReceive` when it is of the old kind that has no `done`. So a count of 0 means that the message has left
 * the flow, also through subflows and links. Nodes that change the `_msgid`, or say done before they send, end the count early.
 */
export class Backpressure {
  private readonly label: string;
  private readonly hooks: Hooks;
  private readonly flights = new Map<string, Flight>();
  private waiting: (() => void)[] = [];
  /** Messages that nobody said to be done with in time. */
  unacknowledged = 0;

  constructor(
    RED: NodeAPI,
    node: Node,
    private readonly window = 2,
    private readonly giveUpMs = GIVE_UP_MS,
  ) {
    // One label per instance: removing it removes these hooks and no others. A dot would end the label.
    this.label = `edgeloom-${node.id.replace(/\./g, '-')}`;
    this.hooks = (RED as unknown as { hooks: Hooks }).hooks;
    this.hooks.remove(`*.${this.label}`);
    this.hooks.add(`preDeliver.${this.label}`, (event) => this.count(event.msg, 1));
    this.hooks.add(`postReceive.${this.label}`, (event) => {
      if (!saysDone(event.destination.node)) this.count(event.msg, -1);
    });
    this.hooks.add(`onComplete.${this.label}`, (event) => this.count(event.msg, -1));
  }

  /** Messages under way. */
  get inFlight(): number {
    return this.flights.size;
  }

  /** Resolves as soon as another message may be sent; always lets the event loop turn first. */
  async ready(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (this.flights.size >= this.window) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  /** Send a message and follow it. `send` must deliver it before it returns, as `node.send` does. */
  follow(message: { _msgid?: string | undefined }, messageId: string, send: () => void): void {
    message._msgid = messageId;
    const timer = setTimeout(() => {
      this.unacknowledged += 1;
      this.end(messageId);
    }, this.giveUpMs);
    timer.unref();
    this.flights.set(messageId, { holders: 0, timer });
    send();
    // Nobody is wired.
    if (this.flights.get(messageId)?.holders === 0) this.end(messageId);
  }

  close(): void {
    this.hooks.remove(`*.${this.label}`);
    for (const messageId of [...this.flights.keys()]) this.end(messageId);
  }

  private count(message: { _msgid?: string | undefined } | undefined, change: 1 | -1): void {
    const messageId = message?._msgid;
    const flight = messageId === undefined ? undefined : this.flights.get(messageId);
    if (!flight) return;
    flight.holders += change;
    if (flight.holders <= 0) this.end(messageId!);
  }

  private end(messageId: string): void {
    const flight = this.flights.get(messageId);
    if (!flight) return;
    clearTimeout(flight.timer);
    this.flights.delete(messageId);
    const waiting = this.waiting;
    this.waiting = [];
    for (const resolve of waiting) resolve();
  }
}

function saysDone(node: unknown): boolean {
  const { _inputCallback: one, _inputCallbacks: many } = (node ?? {}) as Listening;
  return [one, ...(many ?? [])].some((listener) => typeof listener === 'function' && listener.length === 3);
}
