import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { TensorValue } from '../../../../core/message/tensor';

/** Run a model once on ONNX Runtime, one thread. */
export async function runModel(
  bytes: Uint8Array,
  feeds: Record<string, TensorValue>,
): Promise<Record<string, { dims: readonly number[]; data: Float32Array }>> {
  const session = await InferenceSession.create(bytes, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  try {
    const tensors = Object.fromEntries(
      Object.entries(feeds).map(([name, { type, data, shape }]) => [
        name,
        new Tensor(type as 'float32', data as Float32Array, shape),
      ]),
    );
    const outputs = await session.run(tensors);
    return Object.fromEntries(
      Object.entries(outputs).map(([name, { dims, data }]) => [name, { dims, data: data as Float32Array }]),
    );
  } finally {
    await session.release();
  }
}
