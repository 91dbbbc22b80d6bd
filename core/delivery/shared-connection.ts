import { EdgeError } from '../errors';
import { type ConnectionOptions, type ConnectionState, MqttConnection } from './mqtt';
import type { OutgoingMessage, Outlet } from './sender';

/** What a user of a shared connection holds: a way out, until it is released. */
export interface ConnectionUse extends Outlet {
  /** The last release closes the connection and waits for its clean end. */
  release(): Promise<void>;
}

export interface ConnectionStats {
  connected: boolean;
  /** Times that the broker accepted us. */
  connects: number;
  /** Messages whose promise was kept, and that were given back with an error. */
  published: number;
  failed: number;
  /** Handed over and not settled: on their way to the broker, or waiting for their turn. */
  inFlight: number;
}

/**
 * One connection for all who publish to one broker: opened with the first user, closed with the last, its state told to all.
 * A user that comes while the old connection still says goodbye gets a new one after it, so that the two do not throw each
 * other out by the same client id.
 */
export class SharedConnection {
  private readonly listeners = new Map<object, (state: ConnectionState) => void>();
  private connection: MqttConnection | undefined;
  private state: ConnectionState = { phase: 'connecting' };
  private ending: Promise<void> = Promise.resolve();
  private readonly counts = { connects: 0, published: 0, failed: 0, inFlight: 0 };

  constructor(
    private readonly options: ConnectionOptions,
    /** Of whoever owns the connection, beside those of its users. */
    private readonly onState: (state: ConnectionState) => void = () => {},
  ) {}

  get users(): number {
    return this.listeners.size;
  }

  stats(): ConnectionStats {
    return { connected: this.connection !== undefined && this.state.phase === 'online', ...this.counts };
  }

  use(onState: (state: ConnectionState) => void): ConnectionUse {
    const user = {};
    this.listeners.set(user, onState);
    if (this.listeners.size === 1) void this.ending.then(() => this.open());
    else onState(this.state);
    return {
      publish: (message: OutgoingMessage) => this.publish(message),
      release: async () => {
        if (this.listeners.delete(user) && this.listeners.size === 0) await this.close();
      },
    };
  }

  /** For the end of everything: whoever still uses it hears nothing more. */
  async close(): Promise<void> {
    this.listeners.clear();
    const { connection } = this;
    this.connection = undefined;
    if (connection) this.ending = connection.close();
    await this.ending;
  }

  private open(): void {
    if (this.connection || this.listeners.size === 0) return;
    const connection = new MqttConnection(this.options, (state) => {
      if (this.connection !== connection) return;
      this.state = state;
      if (state.phase === 'online') this.counts.connects += 1;
      this.onState(state);
      for (const listener of this.listeners.values()) listener(state);
    });
    this.connection = connection;
  }

  private async publish(message: OutgoingMessage): Promise<void> {
    this.counts.inFlight += 1;
    try {
      if (!this.connection) throw new EdgeError('EDGE_BROKER_OFFLINE');
      await this.connection.publish(message);
      this.counts.published += 1;
    } catch (thrown) {
      this.counts.failed += 1;
      throw thrown;
    } finally {
      this.counts.inFlight -= 1;
    }
  }
}
