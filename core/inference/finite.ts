import type { TensorValue } from '../message/tensor';

/**
 * True when no value is NaN or infinite. Whole numbers always are finite. Float32 values go through WebAssembly's vector
 * instructions: 0.15 ns a value instead of 0.4 ns in the best JavaScript loop, which would be 3 % of a model of 5 ms.
 */
export function allFinite(value: TensorValue): boolean {
  switch (value.type) {
    case 'float32':
      return finiteFloat32(value.data as Float32Array);
    case 'float64':
      return finiteFloat64(value.data as Float64Array);
    case 'float16':
      return finiteFloat16(value.data as Uint16Array);
    default:
      return true;
  }
}

/** Bytes of the module's memory; values are looked at through it piece by piece. It stays inside a second-level cache. */
const PIECE_BYTES = 65_536;
/** What one turn of the module's loop reads. */
const STEP_BYTES = 64;

/**
 * WebAssembly of `finite(end) -> 1 or 0`: every value v of the memory's bytes 0 to `end` (a multiple of 64) gives v - v, which is
 * 0 for a finite one and NaN for all others; the bits of the differences are gathered by `or`, four vectors of four values a turn.
 *
 *     (module
 *       (memory (export "memory") 1)
 *       (func (export "finite") (param $end i32) (result i32)
 *         (local $at i32) (local $a v128) (local $b v128) (local $c v128) (local $d v128)
 *         (block $done (loop $next
 *           (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
 *           (local.set $a (v128.or (local.get $a)
 *             (f32x4.sub (v128.load (local.get $at)) (v128.load (local.get $at)))))
 *           ;; likewise $b at offset=16, $c at offset=32, $d at offset=48
 *           (local.set $at (i32.add (local.get $at) (i32.const 64)))
 *           (br $next)))
 *         (i32.eqz (v128.any_true
 *           (v128.or (v128.or (local.get $a) (local.get $b)) (v128.or (local.get $c) (local.get $d)))))))
 */
const MODULE =
  'AGFzbQEAAAABBgFgAX8BfwMCAQAFAwEAAQcTAgZtZW1vcnkCAAZmaW5pdGUAAAqFAQGCAQIBfwR7AkADQCABIABPDQEgAiAB/QAEACAB/QAEAP3lAf1QIQIgAyAB/QAEECAB/QAEEP3lAf1QIQMgBCAB/QAEICAB/QAEIP3lAf1QIQQgBSAB/QAEMCAB/QAEMP3lAf1QIQUgAUHAAGohAQwACwsgAiAD/VAgBCAF/VD9UP1TRQs=';

interface Vectors {
  values: Float32Array;
  finite(end: number): number;
}

let vectors: Vectors | undefined;

function finiteFloat32(values: Float32Array): boolean {
  vectors ??= instantiate();
  const piece = vectors.values.length;
  for (let start = 0; start < values.length; start += piece) {
    const count = Math.min(piece, values.length - start);
    vectors.values.set(count === values.length ? values : values.subarray(start, start + count));
    const end = Math.ceil((count * 4) / STEP_BYTES) * STEP_BYTES;
    vectors.values.fill(0, count, end / 4);
    if (vectors.finite(end) === 0) return false;
  }
  return true;
}

function instantiate(): Vectors {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(MODULE, 'base64')));
  const { memory, finite } = exports as { memory: WebAssembly.Memory; finite: (end: number) => number };
  return { values: new Float32Array(memory.buffer, 0, PIECE_BYTES / 4), finite };
}

function finiteFloat64(values: Float64Array): boolean {
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += values[index]! * 0;
  return sum === 0;
}

function finiteFloat16(values: Uint16Array): boolean {
  const EXPONENT = 0x7c00;
  for (let index = 0; index < values.length; index++) if ((values[index]! & EXPONENT) === EXPONENT) return false;
  return true;
}
