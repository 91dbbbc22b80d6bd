import type { Node, NodeAPI } from 'node-red';
import { asEdgeError } from '../../core/errors';
import { figuresOf } from './figures';
import { logEvent } from './log';
import type { Message } from './on-input';
import { reportError } from './report';

/** Milliseconds after the flows run again in which a place may still be taken: deploys can overlap. */
const GRACE_MS = 3_000;

/** Longest time for which a place stays vacant when no word comes that the flows run: other nodes may take 15 s to close. */
const LONGEST_MS = 30_000;

const LABEL = 'edgeloom-handover';

/** What the node does for a message: null when there is nothing to send, else what to do with the node that then stands. */
export type Answer = ((node: Node) => void) | null;

/**
 * The place of a node in the flows. A deploy closes a node and makes another one with the same id: what belongs to the place (a
 * queue, a model, work under way) stays, and the new node takes it over. What was begun for the old node is answered through
 * the new one, once the flows run. Messages that come in between, which Node-RED would drop without a word, are taken all the same.
 */
export class Place<T> implements Vacant {
  private work: ((message: Message) => Promise<Answer>) | undefined;
  private state: 'occupied' | 'vacant' | 'taken' | 'gone' = 'occupied';
  private waiting: ((node: Node | null) => void)[] = [];

  constructor(
    private readonly handover: Handover,
    /** The node that stands here, or the last one that did. */
    public node: Node,
    readonly belongings: T,
    private readonly release: (belongings: T, removed: boolean) => void | Promise<void>,
  ) {}

  /** Do this for each message from now on; as `onInput` otherwise. */
  serve(work: (message: Message) => Promise<Answer>): void {
    this.work = work;
    const { node } = this;
    node.on('input', (message, _send, done) => void this.receive(node, message as Message, done));
  }

  /** A message that came to this place. Never rejects. */
  async receive(receiver: Node, message: Message, done: (error?: Error) => void): Promise<void> {
    const { state } = this;
    if (state !== 'vacant') figuresOf(receiver).received += 1;
    let answer: Answer = null;
    let failure: unknown;
    try {
      answer = (await this.work?.(message)) ?? null;
    } catch (thrown) {
      failure = asEdgeError(thrown);
    }
    const node = await this.occupant();
    if (!node) return done();
    // What came in between is counted where it is answered.
    if (state === 'vacant') figuresOf(node).received += 1;
    // Exactly what Node-RED's own `done` does, at the node that complete and catch nodes of the present flow know.
    const doneHere = node === receiver ? done : (error?: Error) => (node as Completing)._complete(message, error);
    try {
      if (failure) throw failure;
      if (answer) {
        answer(node);
        figuresOf(node).sent += 1;
      }
      doneHere();
    } catch (thrown) {
      reportError(node, asEdgeError(thrown), message, doneHere);
    }
  }

  /**
   * The node closes: for good when it was removed or disabled, else until another node takes its place, or none came in time.
   * Resolves when messages that were on their way to the node have reached it.
   */
  async leave(removed: boolean): Promise<void> {
    this.handover.forget(this.node.id);
    if (removed || !this.handover.returns(this.node.id)) return this.giveUp(true);
    this.state = 'vacant';
    this.handover.keep(this);
    // Node-RED delivers in the next turn, and takes the node's listeners away when this resolves.
    await new Promise<void>((resolve) => setImmediate(resolve));
  }

  /** Another node stands here; answers wait until the flows run. */
  take(node: Node): void {
    this.node = node;
    this.state = 'taken';
  }

  get taken(): boolean {
    return this.state === 'taken';
  }

  /** The flows run. */
  open(): void {
    this.settle('occupied', this.node);
  }

  /** Nobody came, or will come: everything is released. */
  async giveUp(removed: boolean): Promise<void> {
    this.settle('gone', null);
    await this.release(this.belongings, removed);
  }

  private settle(state: 'occupied' | 'gone', node: Node | null): void {
    this.state = state;
    for (const resolve of this.waiting.splice(0)) resolve(node);
  }

  private async occupant(): Promise<Node | null> {
    if (this.state === 'occupied') return this.node;
    if (this.state === 'gone') return null;
    return new Promise((resolve) => this.waiting.push(resolve));
  }
}

/**
 * The place of this node: the one that the node before it left, or a new one. Call it once per node, and `leave` when it closes.
 * @param make what belongs to a new place.
 * @param release is told whether the node was removed from the flows, or only stopped.
 */
export function placeOf<T>(
  RED: NodeAPI,
  node: Node,
  make: () => T,
  release: (belongings: T, removed: boolean) => void | Promise<void>,
): Place<T> {
  const handover = handoverOf(RED);
  return (handover.take(node) as Place<T> | undefined) ?? new Place(handover, node, make(), release);
}

/** Vacant places of this Node-RED, none outside of a deploy. */
export function vacantPlaces(RED: NodeAPI): number {
  return handoverOf(RED).vacant;
}

type Completing = Node & { _complete(message: unknown, error?: Error): void };

interface SendEvent {
  msg: Message;
  destination: { id: string; node?: Node };
  cloneMessage?: boolean;
}

interface Hooks {
  add(name: string, callback: (event: SendEvent) => unknown): void;
  remove(name: string): void;
  trigger(name: string, event: SendEvent, done: (stopped?: unknown) => void): void;
}

/** A place without regard to what belongs to it. */
interface Vacant {
  readonly node: Node;
  readonly taken: boolean;
  receive(receiver: Node, message: Message, done: (error?: Error) => void): Promise<void>;
  take(node: Node): void;
  open(): void;
  giveUp(removed: boolean): Promise<void>;
}

type FlowNodes = readonly { id: string; z?: string; d?: boolean; disabled?: boolean }[];

interface Vacancy {
  place: Vacant;
  timer: NodeJS.Timeout;
}

/** One for each Node-RED: what nodes left to the nodes that a deploy makes in their places. */
class Handover {
  private readonly vacancies = new Map<string, Vacancy>();
  /** Ids that are disabled in the flows that are about to start. */
  private disabled: ReadonlySet<string> = new Set();

  constructor(private readonly RED: NodeAPI) {
    const { events } = RED;
    // The flows that will start are known before those that run are stopped.
    events.on('flows:stopping', ({ config }: { config?: { flows?: FlowNodes } }) => {
      this.disabled = disabledIn(config?.flows ?? []);
    });
    events.on('flows:started', () => this.onStarted());
    // Stopped, and not for a deploy: nobody will come.
    events.on('runtime-event', ({ id, payload }: { id?: string; payload?: { state?: string; deploy?: boolean } }) => {
      if (id === 'runtime-state' && payload?.state !== 'start' && !payload?.deploy) this.giveUpAll();
    });
  }

  get vacant(): number {
    return this.vacancies.size;
  }

  returns(id: string): boolean {
    return !this.disabled.has(id);
  }

  keep(place: Vacant): void {
    if (this.vacancies.size === 0) this.hooks?.add(`preRoute.${LABEL}`, (event) => this.route(event));
    this.vacancies.set(place.node.id, { place, timer: this.timer(place, LONGEST_MS) });
  }

  take(node: Node): Vacant | undefined {
    const vacancy = this.vacancies.get(node.id);
    if (!vacancy || vacancy.place.node.type !== node.type) return undefined;
    vacancy.place.take(node);
    return vacancy.place;
  }

  private onStarted(): void {
    for (const [id, vacancy] of [...this.vacancies]) {
      clearTimeout(vacancy.timer);
      if (vacancy.place.taken) {
        this.forget(id);
        vacancy.place.open();
      } else vacancy.timer = this.timer(vacancy.place, GRACE_MS);
    }
  }

  private giveUpAll(): void {
    for (const { place } of [...this.vacancies.values()]) this.giveUp(place);
  }

  private giveUp(place: Vacant): void {
    this.forget(place.node.id);
    place.giveUp(false).catch((thrown) => logEvent(place.node, 'note', asEdgeError(thrown).message));
  }

  private timer(place: Vacant, milliseconds: number): NodeJS.Timeout {
    return setTimeout(() => (place.taken ? this.onStarted() : this.giveUp(place)), milliseconds).unref();
  }

  forget(id: string): void {
    const vacancy = this.vacancies.get(id);
    if (!vacancy) return;
    clearTimeout(vacancy.timer);
    this.vacancies.delete(id);
    if (this.vacancies.size === 0) this.hooks?.remove(`preRoute.${LABEL}`);
  }

  /** False ends Node-RED's own way of the message. */
  private route(event: SendEvent): false | undefined {
    const place = this.vacancies.get(event.destination.id)?.place;
    if (!place) return undefined;
    const { node } = place;
    if (event.cloneMessage) event.msg = this.RED.util.cloneMessage(event.msg);
    event.destination.node = node;
    // Whoever follows messages (backpressure does) sees it delivered, as it will see it completed.
    this.hooks!.trigger('preDeliver', event, (stopped) => {
      if (stopped) return;
      setImmediate(() => place.receive(node, event.msg, (error) => (node as Completing)._complete(event.msg, error)));
    });
    return false;
  }

  private get hooks(): Hooks | undefined {
    return (this.RED as unknown as { hooks?: Hooks }).hooks;
  }
}

const handovers = new WeakMap<object, Handover>();

function handoverOf(RED: NodeAPI): Handover {
  const found = handovers.get(RED.events) ?? new Handover(RED);
  handovers.set(RED.events, found);
  return found;
}

/** Nodes that are disabled themselves, or with their tab. */
function disabledIn(flows: FlowNodes): ReadonlySet<string> {
  const tabs = new Set(flows.filter(({ disabled }) => disabled === true).map(({ id }) => id));
  return new Set(flows.filter(({ d, z }) => d === true || (z !== undefined && tabs.has(z))).map(({ id }) => id));
}
