import type { Duplex } from 'node:stream';
import { connect, type IClientOptions, type MqttClient, UniqueMessageIdProvider } from 'mqtt';
import { EdgeError } from '../errors';
import { type BrokerAddress, showBrokerAddress } from './address';
import { guardInbound } from './guard';
import { connectionError } from './reason';
import type { OutgoingMessage, Outlet } from './sender';

/** Certificates and checks of a TLS connection, as `tls.connect` takes them (PEM). */
export interface TlsSettings {
  ca?: string | Buffer;
  cert?: string | Buffer;
  key?: string | Buffer;
  passphrase?: string;
  servername?: string;
  rejectUnauthorized?: boolean;
  ALPNProtocols?: string[];
}

/** A message that speaks for the client itself: its will, its birth, its goodbye. */
export interface Announcement {
  topic: string;
  payload: string;
  qos: 0 | 1 | 2;
  retain: boolean;
}

export interface SessionOptions {
  address: BrokerAddress;
  /** 4 is MQTT 3.1.1; `auto` is 5, or 4 where the broker knows no more. */
  version: 4 | 5 | 'auto';
  clientId: string;
  username?: string;
  password?: string;
  tls?: TlsSettings;
  will?: Announcement;
  /** Seconds, 0 for none. */
  keepaliveSeconds?: number;
  connectTimeoutMs?: number;
  /** A broker that owes an acknowledgement for longer is asked again on a new connection. */
  acknowledgementTimeoutMs?: number;
  /** Unacknowledged messages at once; the broker may want fewer. */
  window?: number;
  /** Messages that wait for a place in the window; more give EDGE_QUEUE_FULL. */
  waiting?: number;
}

const DEFAULTS = { keepaliveSeconds: 30, connectTimeoutMs: 15_000, acknowledgementTimeoutMs: 20_000, waiting: 1000 };
/** MQTT 5 brokers say how many they take at once; of 3.1.1 ones the common mosquitto cuts a client off that has more than 20. */
const WINDOW = { 4: 20, 5: 100 } as const;
/** How long a clean end waits: for acknowledgements on their way, then for the broker to close. */
const DRAIN_MS = 2000;
const FAREWELL_MS = 1000;

/** The member of an mqtt.js client that makes its socket; private in its types, and the only way to the bytes before its parser. */
type StreamBuilder = (client: MqttClient, options?: IClientOptions) => Duplex;

interface Entry {
  message: OutgoingMessage;
  settle(error?: EdgeError): void;
  timer?: NodeJS.Timeout;
}

/**
 * One network connection to one broker, from its CONNACK to its end. mqtt.js does the protocol; the window, the timeouts and
 * the answer to every publish are here, since mqtt.js may never call back, queues without a bound and has its own idea of
 * reconnecting. After `closed` a session is dead; MqttConnection opens the next.
 */
export class MqttSession implements Outlet {
  /** Fulfils when the connection has ended: with the reason, or with nothing after `end()`. */
  readonly closed: Promise<EdgeError | undefined>;
  private readonly inFlight = new Set<Entry>();
  private readonly waiting: Entry[] = [];
  private readonly window: number;
  private readonly waitingLimit: number;
  private readonly timeoutMs: number;
  private over = false;
  private idle: (() => void) | undefined;

  /** Made by openSession(), once the broker has accepted. */
  constructor(
    private readonly client: MqttClient,
    options: Versioned,
    closed: Promise<EdgeError | undefined>,
  ) {
    this.window = Math.min(options.window ?? WINDOW[options.version], client.serverProperties?.receiveMaximum ?? 65_535);
    this.waitingLimit = options.waiting ?? DEFAULTS.waiting;
    this.timeoutMs = options.acknowledgementTimeoutMs ?? DEFAULTS.acknowledgementTimeoutMs;
    this.closed = closed.then((reason) => {
      this.lose(reason);
      return reason;
    });
  }

  publish(message: OutgoingMessage): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.over) throw offline();
      this.checkAgainstBroker(message);
      if (this.inFlight.size >= this.window && this.waiting.length >= this.waitingLimit) {
        throw new EdgeError('EDGE_QUEUE_FULL', `${this.waiting.length} messages wait for the broker`);
      }
      const entry: Entry = { message, settle: (error) => (error ? reject(error) : resolve()) };
      if (this.inFlight.size < this.window) this.send(entry);
      else this.waiting.push(entry);
    });
  }

  /** End cleanly: what is on its way may arrive, then DISCONNECT, so that the broker does not send the will. */
  async end(): Promise<void> {
    if (!this.over && this.inFlight.size > 0) {
      await withDeadline(
        new Promise<void>((resolve) => {
          this.idle = resolve;
        }),
        DRAIN_MS,
      );
    }
    // mqtt.js would wait for these for ever before it disconnects.
    for (const id of Object.keys(this.client.outgoing)) this.client.removeOutgoingMessage(Number(id));
    this.client.end(false);
    if (!(await withDeadline(this.closed, FAREWELL_MS))) this.client.stream.destroy();
    await this.closed;
  }

  private send(entry: Entry): void {
    const { topic, payload, qos, retain, contentType, expirySeconds, userProperties } = entry.message;
    this.inFlight.add(entry);
    entry.timer = setTimeout(() => this.giveUp(entry), this.timeoutMs);
    const properties = {
      ...(contentType !== undefined && { contentType }),
      ...(expirySeconds !== undefined && { messageExpiryInterval: expirySeconds }),
      ...(userProperties !== undefined && { userProperties: { ...userProperties } }),
    };
    try {
      this.client.publish(topic, payload, { qos, retain, properties }, (error) => this.settle(entry, error));
    } catch (thrown) {
      this.settle(entry, thrown);
    }
  }

  private settle(entry: Entry, thrown?: unknown): void {
    if (!this.inFlight.delete(entry)) return;
    clearTimeout(entry.timer);
    entry.settle(thrown ? rejected(thrown) : undefined);
    const next = this.waiting.shift();
    if (next) this.send(next);
    else if (this.inFlight.size === 0) this.idle?.();
  }

  /**
   * The broker owes an answer for too long. MQTT gives no way to ask again on the same connection (5.0, 4.4), and the broker
   * goes on counting this message against its receive maximum, so the connection goes with it.
   */
  private giveUp(entry: Entry): void {
    if (!this.inFlight.delete(entry)) return;
    entry.settle(
      new EdgeError('EDGE_PUBLISH_TIMEOUT', `nothing came in ${this.timeoutMs / 1000} s`, {
        mend: 'It may have arrived all the same',
      }),
    );
    this.client.stream.destroy(new EdgeError('EDGE_BROKER_UNREACHABLE', 'it takes messages but does not acknowledge them'));
  }

  private lose(reason: EdgeError | undefined): void {
    this.over = true;
    const lost = [...this.inFlight, ...this.waiting];
    this.inFlight.clear();
    this.waiting.length = 0;
    for (const entry of lost) {
      clearTimeout(entry.timer);
      entry.settle(offline(reason));
    }
    this.idle?.();
  }

  /** What the broker said in its CONNACK that it does not take; sending it would end the connection. */
  private checkAgainstBroker({ topic, payload, qos, retain }: OutgoingMessage): void {
    const broker = this.client.serverProperties;
    if (!broker) return;
    if (qos > (broker.maximumQoS ?? 2))
      throw new EdgeError('EDGE_PUBLISH_FAILED', `the broker takes QoS up to ${broker.maximumQoS}`);
    if (retain && broker.retainAvailable === false)
      throw new EdgeError('EDGE_PUBLISH_FAILED', 'the broker keeps no retained messages');
    const bytes = payload.byteLength + Buffer.byteLength(topic);
    if (broker.maximumPacketSize !== undefined && bytes > broker.maximumPacketSize) {
      throw new EdgeError('EDGE_PUBLISH_FAILED', `${bytes} bytes, the broker takes ${broker.maximumPacketSize}`);
    }
  }
}

/**
 * Connect once.
 * @throws EDGE_BROKER_NAME, _UNREACHABLE, _TLS, _CREDENTIALS, _REFUSED or _PROTOCOL, never with a secret in the text.
 */
export async function openSession(options: SessionOptions, signal?: AbortSignal): Promise<MqttSession> {
  const { version } = options;
  if (version !== 'auto') return openVersion({ ...options, version }, signal);
  try {
    return await openVersion({ ...options, version: 5 }, signal);
  } catch (thrown) {
    if (signal?.aborted || !mayBeOlder(thrown)) throw thrown;
    return openVersion({ ...options, version: 4 }, signal);
  }
}

type Versioned = SessionOptions & { version: 4 | 5 };

/** A broker of 3.1.1 refuses MQTT 5 with return code 1, or just closes (3.1.1, section 3.1.2.2); one of 5 says 132. */
function mayBeOlder(thrown: unknown): boolean {
  const cause = thrown instanceof EdgeError ? (thrown.cause as { code?: unknown } | undefined) : undefined;
  return cause?.code === 1 || cause?.code === 132 || cause?.code === 'ECONNRESET';
}

function openVersion(options: Versioned, signal?: AbortSignal): Promise<MqttSession> {
  const address = showBrokerAddress(options.address);
  return new Promise((resolve, reject) => {
    if (signal?.aborted) throw offline();
    let reason: EdgeError | undefined;
    let opened = false;
    let finish: (reason: EdgeError | undefined) => void = () => {};
    const closed = new Promise<EdgeError | undefined>((done) => {
      finish = done;
    });
    const note = (thrown: unknown) => {
      reason ??= connectionError(thrown, address);
    };

    const client = makeClient(options, note);
    const abort = () => {
      reason ??= offline();
      client.stream?.destroy();
    };
    client.on('error', (error) => {
      note(error);
      client.stream?.destroy();
    });
    client.on('disconnect', (packet) => note({ code: packet.reasonCode ?? 0 }));
    client.on('connect', () => {
      opened = true;
      signal?.removeEventListener('abort', abort);
      resolve(new MqttSession(client, options, closed));
    });
    client.on('close', () => {
      signal?.removeEventListener('abort', abort);
      if (!opened) reject(reason ?? connectionError({ code: 'ECONNRESET' }, address));
      finish(client.disconnecting ? undefined : (reason ?? connectionError({ code: 'ECONNRESET' }, address)));
    });
    signal?.addEventListener('abort', abort);
    try {
      client.connect();
    } catch (thrown) {
      // A certificate or key that cannot be read.
      signal?.removeEventListener('abort', abort);
      reject(connectionError(thrown, address));
    }
  });
}

/** A client of mqtt.js that does not act on its own: it connects when told, once, and its inbound bytes are guarded. */
function makeClient(options: Versioned, note: (thrown: unknown) => void): MqttClient {
  const { address, version, tls } = options;
  const secure = address.protocol === 'mqtts' || address.protocol === 'wss';
  const settings: IClientOptions = {
    protocol: address.protocol,
    hostname: address.host,
    host: address.host,
    port: address.port,
    ...(address.path !== '' && { path: address.path }),
    ...(secure && { ...tls, wsOptions: { ...tls } }),
    protocolVersion: version,
    clientId: options.clientId,
    clean: true,
    keepalive: options.keepaliveSeconds ?? DEFAULTS.keepaliveSeconds,
    connectTimeout: options.connectTimeoutMs ?? DEFAULTS.connectTimeoutMs,
    ...(options.username !== undefined && { username: options.username }),
    ...(options.password !== undefined && { password: options.password }),
    ...(options.will && { will: { ...options.will, payload: Buffer.from(options.will.payload) } }),
    manualConnect: true,
    reconnectPeriod: 0,
    queueQoSZero: false,
    resubscribe: false,
    messageIdProvider: new UniqueMessageIdProvider(),
  };
  const client = connect(settings);
  const inside = client as unknown as { streamBuilder: StreamBuilder };
  const build = inside.streamBuilder;
  inside.streamBuilder = (...both) => {
    const stream = build(...both);
    // mqtt.js passes on only errors with a code; this hears all of them, also before it listens.
    stream.on('error', note);
    return guardInbound(stream, version);
  };
  return client;
}

function rejected(thrown: unknown): EdgeError {
  if (thrown instanceof EdgeError) return thrown;
  const { message } = thrown as Error;
  if (message === 'Connection closed' || message === 'client disconnecting' || message === 'No connection to broker')
    return offline();
  return new EdgeError('EDGE_PUBLISH_FAILED', message, { cause: thrown });
}

function offline(reason?: EdgeError): EdgeError {
  return new EdgeError('EDGE_BROKER_OFFLINE', reason?.message, reason ? { cause: reason } : {});
}

/** True when `promise` fulfilled in time. */
async function withDeadline(promise: Promise<unknown>, milliseconds: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds);
  });
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
