import { once } from 'node:events';
import { PassThrough, Writable } from 'node:stream';
import { guardInbound } from '../../../core/delivery/guard';

function guarded(version: 4 | 5, write: (packet: Buffer) => void) {
  const stream = guardInbound(new PassThrough(), version);
  const parser = new Writable({
    write(packet: Buffer, _encoding, done) {
      write(packet);
      done();
    },
  });
  stream.pipe(parser);
  return stream;
}

it('catches what the parser behind it throws, and ends the connection', async () => {
  const stream = guarded(4, () => {
    throw new TypeError('a bug in the parser');
  });
  const failed = once(stream, 'error');
  stream.write(Buffer.from([0x20, 2, 0, 0]));
  expect(await failed).toMatchObject([{ code: 'EDGE_BROKER_PROTOCOL', message: expect.stringContaining('a bug in the parser') }]);
  expect(stream.destroyed).toBe(true);
});

it('hands over whole packets, one at a time, however they arrive', async () => {
  const packets: Buffer[] = [];
  const stream = guarded(5, (packet) => packets.push(Buffer.from(packet)));
  const sent = [
    [0x20, 6, 0, 0, 3, 0x21, 0, 10],
    [0x40, 2, 0, 1],
    [0xd0, 0],
  ];
  for (const byte of sent.flat()) stream.write(Buffer.of(byte));
  stream.end(Buffer.from([0xe0, 1, 0x8b]));
  await once(stream, 'end');
  expect(packets.map((packet) => [...packet])).toEqual([...sent, [0xe0, 1, 0x8b]]);
});

describe.each([
  ['no answer to the connection first', 4, [0x40, 2, 0, 1]],
  ['a second answer to the connection', 4, [0x20, 2, 0, 0, 0x20, 2, 0, 0]],
  ['a message for somebody who subscribed to nothing', 4, [0x20, 2, 0, 0, 0x30, 4, 0, 1, 0x61, 0x62]],
  ['reserved flags', 4, [0x20, 2, 0, 0, 0x41, 2, 0, 1]],
  ['an acknowledgement that is too short', 4, [0x20, 2, 0, 0, 0x40, 1, 0]],
  ['a length that does not end', 4, [0x20, 0xff, 0xff, 0xff, 0xff]],
  ['a packet beyond all measure', 5, [0x20, 0xff, 0xff, 0x7f]],
  ['properties longer than their packet', 5, [0x20, 4, 0, 0, 9, 0x21]],
  ['a property that is cut short', 5, [0x20, 5, 0, 0, 2, 0x21, 0]],
  ['a property twice', 5, [0x20, 9, 0, 0, 6, 0x21, 0, 1, 0x21, 0, 2]],
  ['an unknown property', 5, [0x20, 5, 0, 0, 2, 0x7f, 0]],
] as const)('%s', (_name, version, bytes) => {
  it('never reaches the parser', async () => {
    const seen: number[] = [];
    const stream = guarded(version, (packet) => seen.push(packet[0]!));
    const failed = once(stream, 'error');
    stream.write(Buffer.from(bytes));
    expect(await failed).toMatchObject([{ code: 'EDGE_BROKER_PROTOCOL' }]);
    // At most the good CONNACK before it.
    expect(seen.length).toBeLessThanOrEqual(1);
  });
});
