import { EdgeError } from '../errors';
import { account } from './memory';

const BRAND = Symbol.for('@edgeloom/reference');
const TAG = 'EdgeloomReference';

let made = 0;

/**
 * The holder of heavy bytes in a message. Node-RED clones a message for every wire after the first; lodash.clonedeep copies an
 * object whose `Symbol.toStringTag` it does not know by reference when it is nested, so these bytes cross any number of wires
 * at no cost. Private fields would break such a copy, so there are none.
 *
 * The bytes themselves are hidden from whoever lists the properties: the filter node compares every property of two payloads, for
 * two pictures of 640x480 more than a second of a blocked event loop. It finds `id`, which is another one for every reference.
 *
 * The bytes are shared by every branch of the flow: they are never written, transferred or recycled once they were sent.
 */
export class Reference<T extends ArrayBufferView = Uint8Array> {
  declare readonly bytes: T;
  readonly id = ++made;

  constructor(bytes: T) {
    Object.defineProperty(this, 'bytes', { value: bytes });
    // Own, read-only and hidden: a newer lodash tries to overwrite the tag to see through it.
    Object.defineProperty(this, Symbol.toStringTag, { value: TAG });
    Object.defineProperty(this, BRAND, { value: true });
    account(bytes);
  }

  /** What JSON shows instead of the bytes (the debug sidebar, a file context, `JSON.stringify`). */
  toJSON(): { reference: true; bytes: number } {
    return { reference: true, bytes: this.bytes.byteLength };
  }
}

/** True for a live reference, also one made by another copy of this package in the same process. */
export function isReference(value: unknown): value is Reference<ArrayBufferView> {
  return typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[BRAND] === true && 'bytes' in value;
}

/**
 * The bytes behind a payload's `ref`.
 * @throws EDGE_FRAME_GONE with the way on which they were lost.
 */
export function bytesOf(value: { kind: string; ref?: unknown }): ArrayBufferView {
  if (isReference(value.ref)) return value.ref.bytes;
  throw new EdgeError('EDGE_FRAME_GONE', `the ${value.kind}'s ${lostReason(value.ref)}`, {
    mend: 'Keep the message whole between the nodes that need its pixels',
  });
}

function lostReason(ref: unknown): string {
  if (ref === undefined) return 'reference is missing: the payload was built or copied by hand';
  if (typeof ref === 'object' && ref !== null) {
    if ('reference' in ref) return 'reference is only its JSON: the message went through a file context, JSON or a network';
    if (Object.keys(ref).length === 0) return 'reference was emptied by a deep copy of the bare reference';
  }
  return 'reference is not one of this palette';
}
