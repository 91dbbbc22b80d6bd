import { EdgeError } from '../../errors';
import type { ElementType } from '../../message/tensor';
import { foldAffine } from '../onnx/fold-affine';
import { writeModel } from '../onnx/graph';
import { create, ModelProtoSchema } from '../onnx/protobuf';
import { GraphBuilder, type Value } from './graph-builder';
import { elementTypeOf, type TfjsGraph } from './tfjs-file';
import { OPERATORS } from './tfjs-operators';

export { readTfjs, type TfjsGraph } from './tfjs-file';

/** Where a graph is cut off on its input side: what computed `at` is left out, its value is fed. */
export interface TfjsInput {
  /** A node, or "node:1" for its second output. */
  at: string;
  /** The name in the ONNX graph; `at` when absent. */
  name?: string;
  /** Every size is known: what a graph computes from its shapes is computed once, here. */
  shape: readonly number[];
  type?: ElementType;
}

export interface TfjsOutput {
  at: string;
  name?: string;
}

export interface TfjsCut {
  inputs?: readonly TfjsInput[];
  /** Those of the signature when absent. */
  outputs?: readonly TfjsOutput[];
}

/** Reads on every ONNX Runtime since 1.8; the first operator set with per-channel quantization. */
const OPSET = 13n;
const IR_VERSION = 7n;

/**
 * A TensorFlow.js graph model as an ONNX model that computes the same: inputs and outputs keep TensorFlow's shapes (images
 * NHWC), convolutions run channels first with the transpositions moved to where nothing stands in their way, batch norms and
 * biases are folded into convolutions. What the outputs do not need is left out, so cutting at `inputs` leaves preprocessing
 * loops behind. The same model and cut give the same bytes on every machine.
 * @throws EDGE_MODEL_UNSUPPORTED naming the operator and node that is not in the table (tfjs-operators.ts);
 * EDGE_MODEL_INVALID when nodes or weights are missing; EDGE_MODEL_INCOMPLETE when an input's shape is not known.
 */
export function importTfjs(model: TfjsGraph, cut: TfjsCut = {}): Uint8Array {
  const inputs = cut.inputs ?? model.inputs.map((name) => placeholder(model, name));
  const outputs: readonly TfjsOutput[] = cut.outputs ?? model.outputs.map((at) => ({ at }));
  if (outputs.length === 0) {
    throw new EdgeError('EDGE_MODEL_INCOMPLETE', 'the model has no signature', { mend: 'Name the outputs to import' });
  }
  const builder = new GraphBuilder(outputs.map(({ at, name = at }) => name));
  const values = new Map<string, Value[]>();
  for (const { at, name = at, shape, type = 'float32' } of inputs) {
    const [node, output] = split(at);
    const fed = values.get(node) ?? [];
    fed[output] = builder.input(name, type, shape);
    values.set(node, fed);
  }
  for (const name of order(model, outputs, values)) values.set(name, convert(model, name, values, builder));
  for (const { at, name = at } of outputs) builder.output(name, valueAt(values, at));
  const graph = builder.finish();
  foldAffine(graph);
  return writeModel(
    create(ModelProtoSchema, {
      irVersion: IR_VERSION,
      producerName: 'edgeloom',
      opsetImport: [{ domain: '', version: OPSET }],
      graph,
    }),
  );
}

function convert(model: TfjsGraph, name: string, values: Map<string, Value[]>, builder: GraphBuilder): Value[] {
  const node = model.nodes.get(name)!;
  if (node.op === 'Const') {
    const weight = model.weights.get(name);
    if (!weight) throw new EdgeError('EDGE_MODEL_INVALID', `the weights of ${name} are missing`);
    return [builder.constant(weight)];
  }
  const operator = OPERATORS[node.op];
  if (!operator) {
    throw new EdgeError('EDGE_MODEL_UNSUPPORTED', `the TensorFlow operator ${node.op} at "${name}"`, {
      mend: 'If it belongs to preparing the picture, cut the graph behind it',
    });
  }
  const inputs = node.inputs.map((from) => valueAt(values, from));
  return operator(node, inputs, builder.at(name));
}

/** Every node that the outputs need and that is not fed, each after those it reads. @throws EDGE_MODEL_UNSUPPORTED for loops. */
function order(model: TfjsGraph, outputs: readonly TfjsOutput[], fed: ReadonlyMap<string, Value[]>): string[] {
  const done = new Set<string>(fed.keys());
  const open = new Set<string>();
  const ordered: string[] = [];
  const waiting = outputs.map(({ at }) => split(at)[0]).reverse();
  while (waiting.length > 0) {
    const name = waiting[waiting.length - 1]!;
    const node = model.nodes.get(name);
    if (!node) throw new EdgeError('EDGE_MODEL_INVALID', `a node ${JSON.stringify(name)} is read and is not there`);
    if (done.has(name)) {
      waiting.pop();
      continue;
    }
    const missing = node.inputs.map((from) => split(from)[0]).filter((from) => !done.has(from));
    if (missing.length === 0) {
      waiting.pop();
      done.add(name);
      ordered.push(name);
      continue;
    }
    open.add(name);
    const circle = missing.find((from) => open.has(from));
    if (circle)
      throw new EdgeError('EDGE_MODEL_UNSUPPORTED', `a loop through ${node.op} "${name}"`, { mend: 'Cut the graph behind it' });
    waiting.push(...missing.reverse());
  }
  return ordered;
}

function placeholder(model: TfjsGraph, name: string): TfjsInput {
  const node = model.nodes.get(name)!;
  const shape = (node.attributes.shape as { shape?: { dim?: { size?: string | number }[] } } | undefined)?.shape?.dim;
  const sizes = (shape ?? []).map(({ size }, axis) => (axis === 0 && Number(size) < 0 ? 1 : Number(size)));
  if (!shape || sizes.some((size) => !(size > 0))) {
    throw new EdgeError('EDGE_MODEL_INCOMPLETE', `the shape of input ${name} is not known`, { mend: 'Say the input shape' });
  }
  return { at: name, shape: sizes, type: elementTypeOf(node, 'dtype') };
}

function valueAt(values: ReadonlyMap<string, Value[]>, at: string): Value {
  const [node, output] = split(at);
  const value = values.get(node)?.[output];
  if (!value) throw new EdgeError('EDGE_MODEL_INVALID', `output ${output} of ${JSON.stringify(node)} is read and is not there`);
  return value;
}

function split(at: string): [node: string, output: number] {
  const parts = /^(.*):(\d+)$/.exec(at);
  return parts ? [parts[1]!, Number(parts[2])] : [at, 0];
}
