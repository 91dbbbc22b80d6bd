import '@tensorflow/tfjs-backend-cpu';
import { GraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import type { TensorValue } from '../../../../core/message/tensor';
import { readTfjs, type TfjsGraph } from '../../../../core/model/import/tfjs';

/** TensorFlow.js graph models made in tests, and TensorFlow.js itself as the reference for what they compute. */

export interface MadeNode {
  name: string;
  op: string;
  input?: string[];
  attr?: Record<string, unknown>;
}

export interface MadeModel {
  nodes: MadeNode[];
  weights: Record<string, TensorValue>;
  outputs: string[];
}

export const i = (value: number) => ({ i: String(value) });
export const f = (value: number) => ({ f: value });
export const b = (value: boolean) => ({ b: value });
export const s = (value: string) => ({ s: Buffer.from(value).toString('base64') });
export const type = (name: 'DT_FLOAT' | 'DT_INT32' | 'DT_BOOL') => ({ type: name });
export const ints = (...values: number[]) => ({ list: { i: values.map(String) } });
export const texts = (...values: string[]) => ({ list: { s: values.map((value) => Buffer.from(value).toString('base64')) } });

export function float(shape: number[], values?: readonly number[]): TensorValue {
  const count = shape.reduce((product, size) => product * size, 1);
  return { type: 'float32', shape, data: values ? Float32Array.from(values) : noise(count) };
}

export function int(shape: number[], values: readonly number[]): TensorValue {
  return { type: 'int32', shape, data: Int32Array.from(values) };
}

/** Repeatable numbers in -2 to 2. */
export function noise(count: number, seed = 7): Float32Array<ArrayBuffer> {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32) * 4 - 2;
  });
}

export function modelJson(model: MadeModel, placeholders: Record<string, TensorValue>) {
  const dtype = ({ type: element }: TensorValue) =>
    type(element === 'int32' ? 'DT_INT32' : element === 'bool' ? 'DT_BOOL' : 'DT_FLOAT');
  const shape = ({ shape: sizes }: TensorValue) => ({ shape: { dim: sizes.map((size) => ({ size: String(size) })) } });
  const node = [
    ...Object.entries(placeholders).map(([name, value]) => ({
      name,
      op: 'Placeholder',
      input: [],
      attr: { dtype: dtype(value), shape: shape(value) },
    })),
    ...Object.entries(model.weights).map(([name, value]) => ({ name, op: 'Const', input: [], attr: { dtype: dtype(value) } })),
    ...model.nodes.map((each) => ({ input: [], attr: {}, ...each })),
  ];
  const weights = Object.entries(model.weights).map(([name, value]) => ({ name, shape: [...value.shape], dtype: value.type }));
  const outputs = Object.fromEntries(model.outputs.map((name) => [name, { name }]));
  return {
    format: 'graph-model',
    signature: { outputs },
    modelTopology: { node, versions: { producer: 1 } },
    weightsManifest: [{ paths: ['w.bin'], weights }],
  };
}

export function weightBytes(model: MadeModel): Buffer {
  return Buffer.concat(
    Object.values(model.weights).map(({ data }) => Buffer.from(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength)),
  );
}

export function madeGraph(model: MadeModel, placeholders: Record<string, TensorValue>): TfjsGraph {
  return readTfjs(JSON.stringify(modelJson(model, placeholders)), () => weightBytes(model));
}

interface ModelFile {
  modelTopology: object;
  weightsManifest: { paths: string[]; weights: object[] }[];
}

/** What TensorFlow.js says. Feeds may name any node, outputs too. */
export async function tensorflow(
  file: ModelFile,
  bytes: Uint8Array,
  feeds: Record<string, TensorValue>,
  outputs: string[],
): Promise<Float32Array[]> {
  tf.enableProdMode();
  await tf.setBackend('cpu');
  const model = new GraphModel({
    load: async () => ({
      format: 'graph-model',
      modelTopology: file.modelTopology,
      weightSpecs: file.weightsManifest.flatMap(({ weights }) => weights) as tf.io.WeightsManifestEntry[],
      weightData: Uint8Array.from(bytes).buffer,
    }),
  });
  await model.load();
  const tensors = Object.fromEntries(
    Object.entries(feeds).map(([name, { data, shape, type: element }]) => [
      name,
      tf.tensor(data as Float32Array, [...shape], element === 'int32' ? 'int32' : 'float32'),
    ]),
  );
  const results = model.execute(tensors, outputs) as tf.Tensor | tf.Tensor[];
  return (Array.isArray(results) ? results : [results]).map((result) => Float32Array.from(result.dataSync()));
}
