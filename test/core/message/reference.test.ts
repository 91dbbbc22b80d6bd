import { util } from '@node-red/util';
import { bytesOf, isReference, Reference } from '../../../core/message/reference';

describe('a reference', () => {
  it('crosses Node-RED’s clone inside a message, as the same object', () => {
    const ref = new Reference(Uint8Array.of(1, 2, 3));
    const copy = util.cloneMessage({ payload: { kind: 'frame', ref } } as never) as unknown as { payload: { ref: unknown } };
    expect(copy.payload).not.toBe(ref);
    expect(copy.payload.ref === ref).toBe(true);
    expect(isReference(copy.payload.ref)).toBe(true);
  });

  it('shows a summary as JSON, never the bytes', () => {
    expect(JSON.stringify({ ref: new Reference(new Uint8Array(6_000_000)) })).toBe('{"ref":{"reference":true,"bytes":6000000}}');
  });

  it('is told from another without a look at the bytes', () => {
    const one = { ref: new Reference(new Uint8Array(4)) };
    const other = { ref: new Reference(new Uint8Array(4)) };
    expect(Object.keys(one.ref)).toEqual(['id']);
    expect(util.compareObjects(one, one)).toBe(true);
    expect(util.compareObjects(one, other)).toBe(false);
  });

  it('is known also when another copy of the package made it', () => {
    let foreign: { Reference: typeof Reference } | undefined;
    jest.isolateModules(() => {
      foreign = require('../../../core/message/reference') as typeof import('../../../core/message/reference');
    });
    const ref = new foreign!.Reference(Uint8Array.of(7));
    expect(ref).not.toBeInstanceOf(Reference);
    expect(bytesOf({ kind: 'frame', ref })).toEqual(Uint8Array.of(7));
  });

  it.each([
    ['nothing', undefined, 'reference is missing'],
    ['its JSON', { reference: true, bytes: 3 }, 'only its JSON'],
    ['what a deep copy leaves', util.cloneMessage(new Reference(new Uint8Array(3)) as never), 'deep copy of the bare reference'],
    ['something else', { bytes: Uint8Array.of(1) }, 'not one of this palette'],
    ['a text', 'frame', 'not one of this palette'],
  ])('that was replaced by %s is said to be gone, and why', (_name, ref, reason) => {
    expect(isReference(ref)).toBe(false);
    expect(() => bytesOf({ kind: 'frame', ref })).toThrow(
      expect.objectContaining({ code: 'EDGE_FRAME_GONE', message: expect.stringContaining(reason) }),
    );
  });
});
