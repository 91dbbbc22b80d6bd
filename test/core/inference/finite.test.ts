import { mulberry } from '../../../bench/support/graph';
import { allFinite, holdsNaN, VECTOR_STEP, vectorCheck } from '../../../core/inference/finite';
import type { TensorValue } from '../../../core/message/tensor';

const float32 = (data: Float32Array<ArrayBuffer>): TensorValue => ({ type: 'float32', shape: [data.length], data });

describe('the look for values that are not finite', () => {
  it('passes finite values, also the largest, the smallest and negative zero', () => {
    expect(allFinite(float32(Float32Array.of(3.4028234e38, -3.4028234e38, 1e-45, -0, 0, 1)))).toBe(true);
    expect(allFinite({ type: 'float64', shape: [3], data: Float64Array.of(Number.MAX_VALUE, -Number.MAX_VALUE, -0) })).toBe(true);
    expect(allFinite({ type: 'float16', shape: [2], data: Uint16Array.of(0x7bff, 0x8000) })).toBe(true);
    expect(allFinite({ type: 'int64', shape: [1], data: BigInt64Array.of(1n) })).toBe(true);
    expect(allFinite(float32(new Float32Array(0)))).toBe(true);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])('finds one %d anywhere in any length', (bad) => {
    const random = mulberry(1);
    for (const length of [1, 3, 15, 16, 17, 1000, 16_384, 16_385, 50_000]) {
      const data = new Float32Array(length).map(() => random() * 1e6);
      expect(allFinite(float32(data))).toBe(true);
      for (const at of [0, length - 1, Math.floor(random() * length)]) {
        const kept = data[at]!;
        data[at] = bad;
        expect(allFinite(float32(data))).toBe(false);
        data[at] = kept;
      }
    }
    expect(allFinite({ type: 'float64', shape: [2], data: Float64Array.of(1, bad) })).toBe(false);
  });

  it('finds them in half precision', () => {
    for (const bits of [0x7c00, 0xfc00, 0x7e00]) {
      expect(allFinite({ type: 'float16', shape: [2], data: Uint16Array.of(1, bits) })).toBe(false);
    }
  });

  it('forgets what it saw before', () => {
    const bad = new Float32Array(100).fill(Number.NaN);
    expect(allFinite(float32(bad))).toBe(false);
    expect(allFinite(float32(new Float32Array(3)))).toBe(true);
  });

  it('tells NaN from infinity where only NaN is wrong', () => {
    expect(holdsNaN(float32(Float32Array.of(1, Number.POSITIVE_INFINITY)))).toBe(false);
    expect(holdsNaN(float32(Float32Array.of(1, Number.NaN)))).toBe(true);
    expect(holdsNaN({ type: 'float16', shape: [1], data: Uint16Array.of(0x7c00) })).toBe(false);
    expect(holdsNaN({ type: 'float16', shape: [1], data: Uint16Array.of(0xfe00) })).toBe(true);
  });

  it('runs on vector instructions here', () => {
    const check = vectorCheck(VECTOR_STEP)!;
    const values = new Float32Array(check.memory.buffer);
    values[VECTOR_STEP / 4] = Number.NaN;
    expect(check.finite(0, VECTOR_STEP)).toBe(true);
    expect(check.finite(0, 2 * VECTOR_STEP)).toBe(false);
  });
});
