import type { Duplex, Writable } from 'node:stream';
import { EdgeError } from '../errors';

/** The largest packet that a broker has reason to send to a client that only publishes. */
const MAX_INBOUND_BYTES = 64 * 1024;

interface Rule {
  /** The four low bits of the first byte must be these (MQTT 5, table 2-2). */
  flags: number;
  /** Remaining length: exactly in 3.1.1, at least in 5.0. */
  plain: number;
  least: number;
  /** MQTT 5: where the properties begin, if the packet is long enough to have any. */
  properties: number;
}

/** What a broker may send to a client that subscribes to nothing (MQTT 5, table 2-1). */
const RULES: Readonly<Record<number, Rule>> = {
  2: { flags: 0, plain: 2, least: 2, properties: 2 }, // CONNACK; a broker of 3.1.1 refuses in two bytes
  4: { flags: 0, plain: 2, least: 2, properties: 3 }, // PUBACK
  5: { flags: 0, plain: 2, least: 2, properties: 3 }, // PUBREC
  7: { flags: 0, plain: 2, least: 2, properties: 3 }, // PUBCOMP
  13: { flags: 0, plain: 0, least: 0, properties: 0 }, // PINGRESP
  14: { flags: 0, plain: -1, least: 0, properties: 1 }, // DISCONNECT, from a broker only in MQTT 5
};

/**
 * Puts itself between a broker's bytes and mqtt.js, whose parser can be made to throw from inside the stream, where nothing
 * catches and Node-RED would end. Every packet is checked before the parser sees it, then handed over alone, so that mqtt.js
 * works it off synchronously and whatever it throws all the same is caught here. Anything wrong destroys the connection with
 * EDGE_BROKER_PROTOCOL; the reconnect does the rest.
 */
export function guardInbound(stream: Duplex, version: 4 | 5): Duplex {
  // mqtt.js takes what a broker sends by `stream.pipe(parser)`: the one place to stand between the two.
  stream.pipe = (<T extends NodeJS.WritableStream>(parser: T): T => {
    const packets = new PacketSplitter(version);
    stream.on('data', (chunk: Buffer) => {
      if (stream.destroyed) return;
      try {
        packets.push(chunk, (packet) => {
          if (!stream.destroyed) (parser as unknown as Writable).write(packet);
        });
      } catch (thrown) {
        const found = thrown instanceof Error ? thrown.message : String(thrown);
        stream.destroy(thrown instanceof EdgeError ? thrown : new EdgeError('EDGE_BROKER_PROTOCOL', found, { cause: thrown }));
      }
    });
    return parser;
  }) as Duplex['pipe'];
  return stream;
}

/** Cuts a stream of bytes into whole, well-formed packets. */
class PacketSplitter {
  private rest: Buffer = Buffer.alloc(0);
  private first = true;

  constructor(private readonly version: 4 | 5) {}

  push(chunk: Buffer, take: (packet: Buffer) => void): void {
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    for (let packet = this.next(); packet; packet = this.next()) take(packet);
  }

  private next(): Buffer | undefined {
    const { rest } = this;
    if (rest.length === 0) return undefined;
    const type = rest[0]! >> 4;
    const rule = RULES[type];
    if (!rule || (rest[0]! & 15) !== rule.flags) throw malformed(`a packet that starts with 0x${rest[0]!.toString(16)}`);
    if (this.first && type !== 2) throw malformed('something before its answer to the connection');
    if (!this.first && type === 2) throw malformed('a second answer to the connection');
    const length = variableInteger(rest, 1);
    if (!length) return undefined;
    if (length.value > MAX_INBOUND_BYTES) throw malformed(`a packet of ${length.value} bytes`);
    const start = 1 + length.bytes;
    const end = start + length.value;
    // The length is checked before the body is waited for.
    if (this.version === 5 ? length.value < rule.least : length.value !== rule.plain)
      throw malformed(`${length.value} bytes in packet type ${type}`);
    if (rest.length < end) return undefined;
    if (this.version === 5) checkProperties(rest.subarray(start, end), rule.properties);
    this.first = false;
    this.rest = rest.subarray(end);
    return rest.subarray(0, end);
  }
}

/** The length of each property's value in bytes (MQTT 5, table 2-4); text and pairs carry their own. */
const PROPERTY_BYTES: Readonly<Record<number, number | 'text' | 'pair'>> = {
  17: 4, // session expiry interval
  18: 'text', // assigned client identifier
  19: 2, // server keep alive
  21: 'text', // authentication method
  22: 'text', // authentication data
  26: 'text', // response information
  28: 'text', // server reference
  31: 'text', // reason string
  33: 2, // receive maximum
  34: 2, // topic alias maximum
  36: 1, // maximum QoS
  37: 1, // retain available
  38: 'pair', // user property
  39: 4, // maximum packet size
  40: 1, // wildcard subscription available
  41: 1, // subscription identifiers available
  42: 1, // shared subscription available
};

/** Properties fill the packet exactly, every one is known and complete, and only user properties come twice. */
function checkProperties(body: Buffer, start: number): void {
  if (body.length <= start) return;
  const length = variableInteger(body, start);
  if (!length || start + length.bytes + length.value !== body.length) throw malformed('properties of a wrong length');
  const seen = new Set<number>();
  let at = start + length.bytes;
  while (at < body.length) {
    const id = body[at]!;
    const size = PROPERTY_BYTES[id];
    if (size === undefined || (id !== 38 && seen.has(id))) throw malformed(`property ${id}`);
    seen.add(id);
    at += 1;
    if (typeof size === 'number') at += size;
    else {
      at = textEnd(body, at);
      if (size === 'pair') at = textEnd(body, at);
    }
    if (at > body.length) throw malformed(`property ${id}, which is cut short`);
  }
}

function textEnd(body: Buffer, at: number): number {
  return at + 2 > body.length ? Number.POSITIVE_INFINITY : at + 2 + body.readUInt16BE(at);
}

/** A variable byte integer (MQTT 5, section 1.5.5), or undefined while it is incomplete. */
function variableInteger(bytes: Buffer, at: number): { value: number; bytes: number } | undefined {
  let value = 0;
  for (let index = 0; index < 4; index += 1) {
    const byte = bytes[at + index];
    if (byte === undefined) return undefined;
    value += (byte & 127) * 128 ** index;
    if (byte < 128) return { value, bytes: index + 1 };
  }
  throw malformed('a length that does not end');
}

function malformed(found: string): EdgeError {
  return new EdgeError('EDGE_BROKER_PROTOCOL', `the broker sent ${found}`);
}
