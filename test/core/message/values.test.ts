import { frameBytes, isFrame, makeFrame } from '../../../core/message/frame';
import { heldBytes, memoryLimit, pixelMemory, setMemoryLimit } from '../../../core/message/memory';
import { provenanceOf } from '../../../core/message/provenance';
import { elementCount, isTensor, makeTensor, tensorValue } from '../../../core/message/tensor';
import { until } from '../../support/until';

describe('a frame', () => {
  it('holds its bytes and says how to read them', () => {
    const bytes = new Uint8Array(4 * 2 * 3).fill(9);
    const frame = makeFrame(bytes, 'rgb8', 4, 2);
    expect(frame).toMatchObject({ kind: 'frame', width: 4, height: 2, channels: 3, encoding: 'rgb8' });
    expect(isFrame(frame)).toBe(true);
    expect(frameBytes(frame)).toBe(bytes);
  });

  it('is refused when its bytes do not fit its size, or there are none', () => {
    expect(() => makeFrame(new Uint8Array(23), 'rgb8', 4, 2)).toThrow(
      expect.objectContaining({
        code: 'EDGE_INPUT_TYPE',
        message: expect.stringContaining('23 bytes for 4x2 rgb8, expected 24'),
      }),
    );
    expect(() => makeFrame(new Uint8Array(0), 'jpeg')).toThrow(expect.objectContaining({ code: 'EDGE_INPUT_EMPTY' }));
  });

  it.each([null, undefined, 7, 'frame', [], { kind: 'tensor', encoding: 'rgb8' }, { kind: 'frame' }])('is not %p', (value) => {
    expect(isFrame(value)).toBe(false);
  });
});

describe('a tensor', () => {
  it('gives back the value that it was made of', () => {
    const data = Float32Array.of(1, 2, 3, 4, 5, 6);
    const tensor = makeTensor({ type: 'float32', shape: [2, 3], data });
    expect(isTensor(tensor)).toBe(true);
    expect(tensorValue(tensor)).toEqual({ type: 'float32', shape: [2, 3], data });
  });

  it('is refused when values and shape do not fit', () => {
    expect(() => makeTensor({ type: 'uint8', shape: [2, 2], data: new Uint8Array(3) })).toThrow(
      expect.objectContaining({
        code: 'EDGE_MODEL_INPUT_SHAPE',
        message: expect.stringContaining('3 values for the shape [2, 2]'),
      }),
    );
  });

  it('of no dimensions holds one value', () => {
    expect(elementCount([])).toBe(1);
    expect(elementCount([3, 0])).toBe(0);
  });
});

describe('the memory of referenced bytes', () => {
  const before = memoryLimit();
  afterEach(() => setMemoryLimit(before));

  it('is counted, and refused with a code over its limit', () => {
    const held = heldBytes();
    const kept = makeFrame(new Uint8Array(1000), 'jpeg');
    expect(heldBytes() - held).toBe(1000);
    setMemoryLimit(heldBytes() + 500);
    expect(() => makeFrame(new Uint8Array(501), 'jpeg')).toThrow(expect.objectContaining({ code: 'EDGE_MEMORY_LIMIT' }));
    expect(() => makeFrame(new Uint8Array(500), 'jpeg')).not.toThrow();
    expect(frameBytes(kept).byteLength).toBe(1000);
  });

  it('counts a buffer that several frames share once', () => {
    const bytes = new Uint8Array(1000);
    const held = heldBytes();
    const kept = [makeFrame(bytes, 'jpeg'), makeFrame(bytes, 'jpeg'), makeFrame(bytes.subarray(10), 'jpeg')];
    expect(heldBytes() - held).toBe(1000);
    expect(kept).toHaveLength(3);
  });

  it('goes down again when frames are dropped, though nothing else makes the collector run', async () => {
    const frame = () => makeFrame(new Uint8Array(100_000), 'jpeg');
    setMemoryLimit(heldBytes() + 1_000_000);
    for (let made = 0; made < 9; made++) frame();
    const full = heldBytes();
    // Asked for when the cap comes near, at most once a second, done in a later task; a camera goes on meanwhile.
    await until(() => {
      try {
        frame();
      } catch {}
      return heldBytes() < full;
    }, 'frames to be collected');
    expect(frame).not.toThrow();
  });

  const pixels = () => makeFrame(pixelMemory(1000 * 1000 * 3), 'rgb8', 1000, 1000);

  it("of a stream's pixels comes back by itself, whatever passes through", async () => {
    const most = heldBytes() + 400_000_000;
    for (let made = 0; made < 400; made++) {
      pixels();
      expect(heldBytes()).toBeLessThan(most);
      if (made % 10 === 0) await new Promise((done) => setTimeout(done, 1));
    }
    expect(process.memoryUsage().arrayBuffers).toBeLessThan(most);
  });

  it("of a stream's pixels is refused over the limit, and given again when they are dropped", async () => {
    setMemoryLimit(heldBytes() + 60_000_000);
    let kept: unknown[] | undefined = [];
    const fill = () => {
      for (let made = 0; made < 40; made++) kept?.push(pixels());
    };
    expect(fill).toThrow(expect.objectContaining({ code: 'EDGE_MEMORY_LIMIT' }));
    expect(kept.length).toBeGreaterThan(5);
    kept = undefined;
    const works = () => {
      try {
        return pixels() !== undefined;
      } catch {
        return false;
      }
    };
    for (let turn = 0; turn < 250 && !works(); turn++) await new Promise((done) => setTimeout(done, 20));
    expect(works()).toBe(true);
  });
});

describe('provenance', () => {
  it('is kept as it came, its timings copied', () => {
    const edge = {
      source: 'door',
      sequence: 4,
      capturedAt: 1000,
      timings: { run: 3 },
      frame: makeFrame(new Uint8Array(1), 'jpeg'),
    };
    const kept = provenanceOf({ edge }, 'node');
    expect(kept).toEqual(edge);
    expect(kept.timings).not.toBe(edge.timings);
    expect(kept.frame).toBe(edge.frame);
  });

  it('is made for a message of another palette, by topic, counting up', () => {
    const first = provenanceOf({ topic: 'hall' }, 'node');
    expect(first).toMatchObject({ source: 'hall', sequence: 0, timings: {}, capturedAt: expect.any(Number) });
    expect(provenanceOf({ topic: 'hall' }, 'node').sequence).toBe(1);
    expect(provenanceOf({ topic: '' }, 'node')).toMatchObject({ source: 'node', sequence: 0 });
  });

  it.each([null, 'door', 7, {}, { source: 7 }])('is made anew when msg.edge is %p', (edge) => {
    expect(provenanceOf({ edge }, 'made anew')).toMatchObject({ source: 'made anew' });
  });

  it('puts up with parts that are not what they should be', () => {
    const kept = provenanceOf({ edge: { source: 'door', sequence: 'x', capturedAt: null, timings: null } }, 'node');
    expect(kept).toEqual({ source: 'door', sequence: 0, capturedAt: expect.any(Number), timings: {} });
  });
});
