import { EdgeError } from '../../errors';
import { type ElementType, elementCount, type TensorValue } from '../../message/tensor';

/** One operation of a TensorFlow graph. Inputs are "node" or "node:output"; those of pure ordering are left out. */
export interface TfjsNode {
  name: string;
  op: string;
  inputs: string[];
  attributes: Record<string, unknown>;
}

/** A TensorFlow.js graph model as it lies on disk: model.json and its shards, read. */
export interface TfjsGraph {
  nodes: Map<string, TfjsNode>;
  weights: Map<string, TensorValue>;
  /** Names of the placeholders, and of what the signature calls outputs (empty where the file has no signature). */
  inputs: string[];
  outputs: string[];
}

/**
 * Read a graph model.
 * @param json the text or bytes of model.json
 * @param shard gives the bytes of one weight file by the path that model.json names it, relative to model.json
 * @throws EDGE_MODEL_INVALID when it is not a graph model or cut short; EDGE_MODEL_UNSUPPORTED for layers models and for
 * weights of a kind this palette cannot hold; EDGE_MODEL_EXTERNAL_DATA when a shard lies outside the model's folder.
 */
export function readTfjs(json: Uint8Array | string, shard: (path: string) => Uint8Array): TfjsGraph {
  const file = parse(json);
  if (file.format === 'layers-model')
    throw new EdgeError('EDGE_MODEL_UNSUPPORTED', 'a TensorFlow.js layers model, not a graph model');
  const listed = file.modelTopology?.node;
  if (!Array.isArray(listed)) throw new EdgeError('EDGE_MODEL_INVALID', 'model.json has no modelTopology.node');
  const nodes = new Map<string, TfjsNode>();
  for (const { name, op, input, attr } of listed) {
    if (typeof name !== 'string' || typeof op !== 'string')
      throw new EdgeError('EDGE_MODEL_INVALID', 'a node without name or op');
    const inputs = (input ?? []).filter((from) => !from.startsWith('^'));
    nodes.set(name, { name, op, inputs, attributes: attr ?? {} });
  }
  const signature = file.signature ?? file.userDefinedMetadata?.signature;
  return {
    nodes,
    weights: readWeights(file.weightsManifest, shard),
    inputs: [...nodes.values()].filter(({ op }) => op === 'Placeholder').map(({ name }) => name),
    outputs: Object.values(signature?.outputs ?? {}).map(({ name }) => name.replace(/:0$/, '')),
  };
}

/** Attributes come as numbers, numbers in texts, texts in base64 or as character codes, and lists of these. */
export function attribute(node: TfjsNode, name: string): unknown {
  return plain(node.attributes[name] as Attribute | undefined);
}

export function text(node: TfjsNode, name: string, fallback: string): string {
  const value = attribute(node, name);
  return typeof value === 'string' ? value : fallback;
}

export function number(node: TfjsNode, name: string, fallback: number): number {
  const value = attribute(node, name);
  return typeof value === 'number' ? value : fallback;
}

export function flag(node: TfjsNode, name: string): boolean {
  return attribute(node, name) === true;
}

export function list<T extends number | string>(node: TfjsNode, name: string): T[] {
  const value = attribute(node, name);
  return Array.isArray(value) ? (value as T[]) : [];
}

/** @throws EDGE_MODEL_UNSUPPORTED for element types that this palette does not carry. */
export function elementTypeOf(node: TfjsNode, name: string): ElementType {
  const value = attribute(node, name);
  const type = DATA_TYPES[String(value)];
  if (!type) throw new EdgeError('EDGE_MODEL_UNSUPPORTED', `element type ${String(value)} at ${node.op} "${node.name}"`);
  return type;
}

/** TensorFlow's DataType numbers and names; float64 and int64 become what TensorFlow.js computes in. */
const DATA_TYPES: Record<string, ElementType> = {
  1: 'float32',
  DT_FLOAT: 'float32',
  2: 'float32',
  DT_DOUBLE: 'float32',
  3: 'int32',
  DT_INT32: 'int32',
  9: 'int32',
  DT_INT64: 'int32',
  10: 'bool',
  DT_BOOL: 'bool',
};

interface Attribute {
  s?: string | number[];
  i?: string | number;
  f?: number;
  b?: boolean;
  type?: string | number;
  list?: { s?: (string | number[])[]; i?: (string | number)[]; f?: number[] };
}

interface WeightEntry {
  name: string;
  shape: number[];
  dtype: string;
  quantization?: { dtype: string; scale?: number; min?: number };
}

interface ModelJson {
  format?: string;
  modelTopology?: { node?: { name?: unknown; op?: unknown; input?: string[]; attr?: Record<string, unknown> }[] };
  signature?: { outputs?: Record<string, { name: string }> };
  userDefinedMetadata?: { signature?: { outputs?: Record<string, { name: string }> } };
  weightsManifest?: { paths: string[]; weights: WeightEntry[] }[];
}

function parse(json: Uint8Array | string): ModelJson {
  try {
    const file: unknown = JSON.parse(typeof json === 'string' ? json : Buffer.from(json).toString('utf8'));
    if (typeof file === 'object' && file !== null) return file;
  } catch (cause) {
    throw new EdgeError('EDGE_MODEL_INVALID', 'model.json is not JSON', { cause });
  }
  throw new EdgeError('EDGE_MODEL_INVALID', 'model.json is not an object');
}

function plain(value: Attribute | undefined): unknown {
  if (value === undefined) return undefined;
  if (value.list) {
    const { s, i, f } = value.list;
    if (s && s.length > 0) return s.map(decodeText);
    if (i && i.length > 0) return i.map(Number);
    return f ?? [];
  }
  if (value.s !== undefined) return decodeText(value.s);
  if (value.i !== undefined) return Number(value.i);
  return value.f ?? value.b ?? value.type;
}

function decodeText(value: string | number[]): string {
  return typeof value === 'string' ? Buffer.from(value, 'base64').toString('latin1') : String.fromCharCode(...value);
}

function readWeights(manifest: ModelJson['weightsManifest'], shard: (path: string) => Uint8Array): Map<string, TensorValue> {
  if (!Array.isArray(manifest)) throw new EdgeError('EDGE_MODEL_INVALID', 'model.json has no weightsManifest');
  const weights = new Map<string, TensorValue>();
  for (const { paths, weights: entries } of manifest) {
    const bytes = Buffer.concat(paths.map((path) => shard(insideFolder(path))));
    let offset = 0;
    for (const entry of entries) {
      const length = elementCount(entry.shape) * storedSize(entry);
      if (!(length >= 0) || offset + length > bytes.length) {
        throw new EdgeError('EDGE_MODEL_INVALID', `the weights end before ${entry.name}`);
      }
      // A copy, since weights start at any byte of a shard and typed arrays need alignment.
      weights.set(entry.name, readWeight(entry, Uint8Array.from(bytes.subarray(offset, offset + length)).buffer));
      offset += length;
    }
  }
  return weights;
}

function insideFolder(path: string): string {
  if (/^[\\/]|^[A-Za-z]:|\0/.test(path) || path.split(/[\\/]/).includes('..')) {
    throw new EdgeError('EDGE_MODEL_EXTERNAL_DATA', `weights at ${JSON.stringify(path)}`);
  }
  return path;
}

const STORED_BYTES: Record<string, number> = { float32: 4, int32: 4, bool: 1, uint8: 1, uint16: 2, float16: 2 };

function storedSize({ name, dtype, quantization }: WeightEntry): number {
  const size = STORED_BYTES[quantization?.dtype ?? dtype];
  if (!size) throw new EdgeError('EDGE_MODEL_UNSUPPORTED', `${dtype} weights: ${name}`);
  return size;
}

function readWeight({ name, shape, dtype, quantization }: WeightEntry, stored: ArrayBuffer): TensorValue {
  if (quantization) return { type: 'float32', shape, data: dequantize(quantization, stored) };
  if (dtype === 'float32') return { type: 'float32', shape, data: new Float32Array(stored) };
  if (dtype === 'int32') return { type: 'int32', shape, data: new Int32Array(stored) };
  if (dtype === 'bool') return { type: 'bool', shape, data: new Uint8Array(stored) };
  throw new EdgeError('EDGE_MODEL_UNSUPPORTED', `${dtype} weights: ${name}`);
}

function dequantize(
  { dtype, scale = 1, min = 0 }: NonNullable<WeightEntry['quantization']>,
  stored: ArrayBuffer,
): Float32Array<ArrayBuffer> {
  if (dtype === 'float16') return Float32Array.from(new Uint16Array(stored), halfToNumber);
  const steps = dtype === 'uint8' ? new Uint8Array(stored) : new Uint16Array(stored);
  return Float32Array.from(steps, (step) => step * scale + min);
}

/** IEEE 754 half precision. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
