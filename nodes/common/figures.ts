import type { Node } from 'node-red';
import type { ConnectionStats } from '../../core/delivery/shared-connection';
import type { ErrorCode } from '../../core/errors';
import type { QueueStats } from '../../core/inference/queue';
import { type WrittenLabels, writeLabels } from '../../core/metrics';
import { oneLine } from '../../core/secrets';
import { Rate } from './rate';

/** What the colours of a status stand for. */
export type NodeState = 'running' | 'waiting' | 'failed' | 'stopped';

/** Longest name of a node that becomes a label. */
const MOST_NAME = 100;

/**
 * What is counted at one node from its making to its end. Counting is an addition; only a scrape makes labels and text of it. A
 * redeployed node begins anew, as Prometheus expects of anything that restarts.
 */
export class Figures {
  received = 0;
  sent = 0;
  readonly errors = new Map<ErrorCode, number>();
  state: NodeState | undefined;
  /** Asked at a scrape, by nodes that have one. */
  queue: (() => QueueStats) | undefined;
  connection: (() => ConnectionStats) | undefined;
  pictures: Pictures | undefined;
  /** An error that was not about one message, until the node is well again. */
  outage: { code: ErrorCode; since: number } | undefined;

  private written: WrittenLabels | undefined;

  /** Those of the node, which do not change while it stands. */
  labels(node: Node): WrittenLabels {
    this.written ??= writeLabels(labelsOf(node));
    return this.written;
  }

  countError(code: ErrorCode): void {
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1);
  }

  /** A source sent a picture. */
  countPicture(): void {
    this.sent += 1;
    this.pictures ??= new Pictures();
    this.pictures.count();
  }

  /** A source lost its connection and begins to make it anew. */
  countReconnect(): void {
    this.pictures ??= new Pictures();
    this.pictures.reconnects += 1;
  }
}

/** What a camera or a recording gave. */
export class Pictures {
  total = 0;
  reconnects = 0;
  private readonly rate = new Rate(10);
  private lastAt = 0;

  count(): void {
    this.total += 1;
    this.lastAt = performance.now();
    this.rate.count();
  }

  perSecond(): number {
    return this.rate.perSecond();
  }

  /** Seconds since the last picture was sent; undefined before the first. */
  age(): number | undefined {
    return this.total === 0 ? undefined : (performance.now() - this.lastAt) / 1000;
  }
}

const live = new Map<Node, Figures>();
const closed = new WeakSet<Node>();

/** The figures of a node, which end with it. */
export function figuresOf(node: Node): Figures {
  const known = live.get(node);
  if (known) return known;
  const figures = new Figures();
  // What comes after the end, the error of a run that was called off, is counted nowhere.
  if (closed.has(node)) return figures;
  live.set(node, figures);
  node.on('close', () => {
    closed.add(node);
    live.delete(node);
  });
  return figures;
}

/** Every node that stands at this moment. */
export function liveFigures(): Iterable<readonly [Node, Figures]> {
  return live;
}

/** Labels that stay the same over restarts: a node in a subflow gets a new id at each, its path does not. */
export function labelsOf(node: Node): { id: string; type: string; name: string } {
  const { id, type, name, _alias: alias, _flow: flow } = node as Node & { _alias?: string; _flow?: { path?: string } };
  const instances = alias ? (flow?.path ?? '').split('/').slice(1) : [];
  return {
    id: alias && instances.length > 0 ? [...instances, alias].join('/') : id,
    type,
    name: oneLine(typeof name === 'string' ? name : '', MOST_NAME),
  };
}
