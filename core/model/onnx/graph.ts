import { isAbsolute } from 'node:path';
import { EdgeError } from '../../errors';
import {
  DataLocation,
  fromBinary,
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  type TensorProto,
  toBinary,
} from './protobuf';

/** IR version that every ONNX Runtime since 1.7 reads, and the first where constants need not be graph inputs is 4. */
const NEWEST_IR = 13n;

/**
 * Read an ONNX file's bytes.
 * @throws EDGE_MODEL_INVALID when the bytes are not a whole ONNX model; EDGE_MODEL_EXTERNAL_DATA when it refers to a file
 * outside its own folder.
 */
export function readModel(bytes: Uint8Array): ModelProto {
  if (bytes.length === 0) throw invalid('the file is empty');
  let model: ModelProto;
  try {
    model = fromBinary(ModelProtoSchema, bytes);
  } catch (cause) {
    throw invalid('the bytes are not an ONNX protobuf', cause);
  }
  if (!model.graph) throw invalid('the file holds no graph');
  if (model.graph.node.length === 0 && model.graph.output.length === 0) throw invalid('the graph is empty');
  if (model.irVersion > NEWEST_IR || model.irVersion < 0n) throw invalid(`its IR version is ${model.irVersion}`);
  for (const tensor of tensorsOf(model.graph)) refuseEscape(tensor);
  return model;
}

/** The bytes of a model; the same model gives the same bytes on every machine. */
export function writeModel(model: ModelProto): Uint8Array {
  return toBinary(ModelProtoSchema, model);
}

/** The graph of a model that `readModel` gave. */
export function graphOf(model: ModelProto): GraphProto {
  if (!model.graph) throw invalid('the file holds no graph');
  return model.graph;
}

/** The version of the standard operators that the model was written for; 1 where it says nothing. */
export function opsetOf(model: ModelProto): number {
  const standard = model.opsetImport.find((entry) => entry.domain === '' || entry.domain === 'ai.onnx');
  return Number(standard?.version ?? 1n);
}

/** The names of a graph's values and nodes, for making new ones that are not among them. */
export class Names {
  private readonly used = new Set<string>();

  constructor(graph: GraphProto) {
    for (const { name } of [...graph.input, ...graph.output, ...graph.initializer]) this.used.add(name);
    for (const node of graph.node) {
      this.used.add(node.name);
      for (const name of [...node.input, ...node.output]) this.used.add(name);
      for (const inner of subgraphs(node)) for (const name of new Names(inner).used) this.used.add(name);
    }
  }

  /** `wanted`, or `wanted_1` and so on where that is taken; taken from now on. */
  fresh(wanted: string): string {
    let name = wanted;
    for (let count = 1; this.used.has(name); count += 1) name = `${wanted}_${count}`;
    this.used.add(name);
    return name;
  }
}

/** The graph's true inputs: old exporters list the weights among them. */
export function dataInputs(graph: GraphProto): GraphProto['input'] {
  const weights = new Set(graph.initializer.map((tensor) => tensor.name));
  return graph.input.filter((input) => !weights.has(input.name));
}

/** Every graph inside a node: branches of If, bodies of Loop and Scan. */
export function subgraphs(node: NodeProto): GraphProto[] {
  return node.attribute.flatMap((attribute) => [...(attribute.g ? [attribute.g] : []), ...attribute.graphs]);
}

/** Readers and writers of `from` name it `to`, in this graph and in the graphs inside its nodes unless they have their own. */
export function renameValue(graph: GraphProto, from: string, to: string): void {
  for (const node of graph.node) {
    node.input = node.input.map((name) => (name === from ? to : name));
    node.output = node.output.map((name) => (name === from ? to : name));
    for (const inner of subgraphs(node)) {
      const shadowed = [...inner.input, ...inner.initializer].some(({ name }) => name === from);
      if (!shadowed) renameValue(inner, from, to);
    }
  }
}

function* tensorsOf(graph: GraphProto): Generator<TensorProto> {
  yield* graph.initializer;
  for (const sparse of graph.sparseInitializer) yield* [sparse.values, sparse.indices].filter((part) => part !== undefined);
  for (const node of graph.node) {
    for (const attribute of node.attribute) {
      if (attribute.t) yield attribute.t;
      yield* attribute.tensors;
    }
    for (const inner of subgraphs(node)) yield* tensorsOf(inner);
  }
}

function refuseEscape(tensor: TensorProto): void {
  if (tensor.dataLocation !== DataLocation.EXTERNAL && tensor.externalData.length === 0) return;
  const location = tensor.externalData.find((entry) => entry.key === 'location')?.value ?? '';
  const parts = location.split(/[\\/]/);
  const leaves = isAbsolute(location) || /^[\\/]|^[A-Za-z]:/.test(location) || parts.includes('..') || location.includes('\0');
  if (location === '' || leaves) {
    throw new EdgeError('EDGE_MODEL_EXTERNAL_DATA', `tensor ${JSON.stringify(tensor.name)} lies at ${JSON.stringify(location)}`);
  }
}

function invalid(found: string, cause?: unknown): EdgeError {
  return new EdgeError('EDGE_MODEL_INVALID', found, cause === undefined ? {} : { cause });
}
