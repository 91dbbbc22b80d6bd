import { EdgeError } from '../errors';
import type { Provenance } from '../message/provenance';
import type { Result } from '../message/results';
import { isTensor, tensorValue } from '../message/tensor';

/** Caps on one message, so that a payload gone wrong neither blocks the event loop nor fills the broker. */
export const MAX_PAYLOAD_BYTES = 4 * 2 ** 20;
export const MAX_JSON_VALUES = 50_000;
const MAX_DEPTH = 64;

/** A picture that goes along inside the JSON: only where the user asked for it. */
export interface AttachedPicture {
  contentType: 'image/jpeg';
  jpeg: Buffer;
}

export interface Encoded {
  payload: Buffer;
  contentType: string;
}

/**
 * The published envelope (schema message-1): where the value came from, then the value. A result of this palette lies beside
 * source, sequence and capturedAt under its own schema; any other value lies under `payload`. Pictures and other bytes are
 * described, never serialised; a tensor gives its numbers. `__proto__` keys are left out; integers too large for a JSON number
 * become text; NaN becomes null.
 * @throws EDGE_PUBLISH_PAYLOAD for a circular, bottomless or huge value, and for bare bytes.
 */
export function envelope(value: unknown, provenance: Provenance, picture?: AttachedPicture): Encoded {
  if (ArrayBuffer.isView(value) && isBytes(value)) {
    throw new EdgeError('EDGE_PUBLISH_PAYLOAD', `${value.byteLength} bytes do not fit into JSON`, {
      mend: 'Send the payload as it is instead',
    });
  }
  const plain = new PlainCopy().of(value);
  const origin = {
    source: provenance.source,
    sequence: provenance.sequence,
    capturedAt: Math.round(provenance.capturedAt),
    ...(picture && { picture: { contentType: picture.contentType, data: picture.jpeg.toString('base64') } }),
  };
  // What came with the message cannot pose as the origin: ours is written last.
  const whole = isResult(value)
    ? { ...(plain as object), schema: value.schema, ...origin }
    : { schema: 'edgeloom/message/1', ...origin, payload: plain === undefined ? null : plain };
  return json(whole);
}

/** The payload without an envelope: bytes and text as they are, a number or flag as text, anything else as JSON. */
export function bare(value: unknown): Encoded {
  if (ArrayBuffer.isView(value) && isBytes(value)) {
    return checked(Buffer.from(value.buffer, value.byteOffset, value.byteLength), 'application/octet-stream');
  }
  if (typeof value === 'string') return checked(Buffer.from(value), 'text/plain');
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') {
    return checked(Buffer.from(String(value)), 'text/plain');
  }
  if (value === undefined || value === null) throw new EdgeError('EDGE_PUBLISH_PAYLOAD', 'the payload is empty');
  return json(new PlainCopy().of(value));
}

/** A result of this palette, by its versioned schema. */
export function isResult(value: unknown): value is Result {
  return typeof value === 'object' && value !== null && /^edgeloom\/[a-z-]+\/[1-9]\d*$/.test(textOf(value, 'schema'));
}

/** The best detection's or class's label, for a topic. */
export function bestLabel(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { detections, classes } = value as { detections?: unknown; classes?: unknown };
  const scored = Array.isArray(detections) ? detections : Array.isArray(classes) ? classes : [];
  let best: { label: string; score: number } | undefined;
  for (const item of scored as { label?: unknown; score?: unknown }[]) {
    if (typeof item?.label !== 'string' || typeof item.score !== 'number') continue;
    if (!best || item.score > best.score) best = { label: item.label, score: item.score };
  }
  return best?.label;
}

function json(value: unknown): Encoded {
  return checked(Buffer.from(JSON.stringify(value)), 'application/json');
}

function checked(payload: Buffer, contentType: string): Encoded {
  if (payload.byteLength > MAX_PAYLOAD_BYTES) {
    throw new EdgeError('EDGE_PUBLISH_PAYLOAD', `${payload.byteLength} bytes, at most ${MAX_PAYLOAD_BYTES} are published`);
  }
  return { payload, contentType };
}

function isBytes(view: ArrayBufferView): boolean {
  return view instanceof Uint8Array || view instanceof Uint8ClampedArray || view instanceof Int8Array || view instanceof DataView;
}

function textOf(value: object, key: string): string {
  const found = (value as Record<string, unknown>)[key];
  return typeof found === 'string' ? found : '';
}

/** A JSON-safe copy within a budget; JSON.stringify alone would follow whatever a foreign node put into the message. */
class PlainCopy {
  private values = 0;
  private characters = 0;
  private readonly path = new Set<object>();

  of(value: unknown): unknown {
    try {
      return this.copy(value);
    } catch (thrown) {
      if (thrown instanceof EdgeError) throw thrown;
      // A getter or a toJSON() of the payload that throws.
      throw new EdgeError('EDGE_PUBLISH_PAYLOAD', thrown instanceof Error ? thrown.message : 'it cannot be read', {
        cause: thrown,
      });
    }
  }

  private copy(value: unknown): unknown {
    this.spend(value);
    if (typeof value === 'number') return Number.isFinite(value) ? value : null;
    if (typeof value === 'bigint') {
      const number = Number(value);
      return Number.isSafeInteger(number) ? number : String(value);
    }
    if (typeof value !== 'object' || value === null) return value;
    if (this.path.has(value)) throw new EdgeError('EDGE_PUBLISH_PAYLOAD', 'it refers to itself');
    if (this.path.size >= MAX_DEPTH) throw new EdgeError('EDGE_PUBLISH_PAYLOAD', `more than ${MAX_DEPTH} levels deep`);
    this.path.add(value);
    const copied = this.copyObject(value);
    this.path.delete(value);
    return copied;
  }

  private copyObject(value: object): unknown {
    if (isTensor(value)) {
      const { type, shape, data } = tensorValue(value);
      return { type, shape, data: this.copyNumbers(data) };
    }
    if (ArrayBuffer.isView(value)) {
      return isBytes(value) ? { bytes: value.byteLength } : this.copyNumbers(value as Float32Array);
    }
    if (value instanceof ArrayBuffer) return { bytes: value.byteLength };
    if (Array.isArray(value)) {
      if (value.length + this.values > MAX_JSON_VALUES) throw tooMany();
      return Array.from(value, (item) => this.copy(item));
    }
    const { toJSON } = value as { toJSON?: unknown };
    if (typeof toJSON === 'function') return this.copy(toJSON.call(value));
    const copied: Record<string, unknown> = {};
    for (const key in value) {
      if (key === '__proto__' || !Object.hasOwn(value, key)) continue;
      const item = (value as Record<string, unknown>)[key];
      if (item === undefined || typeof item === 'function' || typeof item === 'symbol') continue;
      this.characters += key.length;
      copied[key] = this.copy(item);
    }
    return copied;
  }

  private copyNumbers(data: ArrayLike<number | bigint>): unknown[] {
    if (data.length + this.values > MAX_JSON_VALUES) throw tooMany();
    return Array.from(data, (item) => this.copy(item));
  }

  private spend(value: unknown): void {
    this.values += 1;
    if (this.values > MAX_JSON_VALUES) throw tooMany();
    if (typeof value === 'string') this.characters += value.length;
    if (this.characters > MAX_PAYLOAD_BYTES) {
      throw new EdgeError('EDGE_PUBLISH_PAYLOAD', `more than ${MAX_PAYLOAD_BYTES} bytes of text`);
    }
  }
}

function tooMany(): EdgeError {
  return new EdgeError('EDGE_PUBLISH_PAYLOAD', `more than ${MAX_JSON_VALUES} values`, {
    mend: 'Send less, or the payload as it is',
  });
}
