import { EdgeError } from '../../errors';
import type { TensorInfo } from '../../message/tensor';
import { graphOf, Names, opsetOf, readModel, writeModel } from './graph';
import { tensorInfo } from './metadata';
import { declaration, operation } from './node';
import type { GraphProto } from './protobuf';
import { constant, dataType, floats } from './tensor';

/** The outputs of a folded graph. */
export const CLASS_MAP_OUTPUT = 'edgeloom/class_map';
/** The sum of all that the class numbers were chosen from: NaN or infinite when any of it is. */
export const CLASS_SUM_OUTPUT = 'edgeloom/class_sum';

/** Class numbers travel as bytes. */
const MOST_CLASSES = 256;
const OLDEST_OPSET = 7;

export interface ClassMapOptions {
  /** Pixels of the model input, which tell the rows and columns of the output from its classes. */
  width: number;
  height: number;
  /** The output's name; the only output when absent. */
  output?: string;
  /** Where the classes stand, when the sizes do not tell: second (NCHW) or last (NHWC). */
  layout?: 'NCHW' | 'NHWC';
  /** A model of one class: the value above which a cell is of it. */
  threshold: number;
}

/**
 * The same model giving the number of every cell's best class as bytes, instead of the scores of all classes: the choice is made
 * where the scores are, in the runtime's threads, and of 21 classes' floats a cell's one byte comes out. Outputs that already are
 * class numbers become bytes.
 * @throws EDGE_MODEL_MANIFEST when it is not clear which output or which of its dimensions is meant; EDGE_MODEL_OUTPUT_SHAPE when
 * it is no map; EDGE_MODEL_UNSUPPORTED for more than 256 classes; EDGE_MODEL_INVALID.
 */
export function foldClassMap(bytes: Uint8Array, options: ClassMapOptions): Uint8Array {
  const model = readModel(bytes);
  const graph = graphOf(model);
  const opset = opsetOf(model);
  if (opset < OLDEST_OPSET) throw new EdgeError('EDGE_MODEL_UNSUPPORTED', `operator set ${opset}, older than ${OLDEST_OPSET}`);
  const found = mapOutput(graph, options);
  const isFloat = found.type.startsWith('float');
  const axis = found.shape.length === 4 ? classAxis(found, options) : null;
  const classes = axis === null ? 1 : found.shape[axis];
  if (typeof classes === 'number' && classes > MOST_CLASSES) {
    throw new EdgeError('EDGE_MODEL_UNSUPPORTED', `${classes} classes of a segmentation, more than ${MOST_CLASSES}`);
  }

  const names = new Names(graph);
  let last = found.name;
  const add = (opType: string, inputs: readonly string[], attributes = {}) => {
    const output = names.fresh(`${CLASS_MAP_OUTPUT}/${opType.toLowerCase()}`);
    graph.node.push(operation(opType, [last, ...inputs], [output], { attributes }));
    last = output;
  };
  const outputs: GraphProto['output'] = [];
  let rank = found.shape.length;
  if (isFloat) {
    if (found.type !== 'float32') add('Cast', [], { to: dataType('float32') });
    graph.node.push(operation('ReduceSum', [last], [CLASS_SUM_OUTPUT], { attributes: { keepdims: 0 } }));
    outputs.push(declaration(CLASS_SUM_OUTPUT, 'float32', []));
    if (classes === 1) {
      const threshold = names.fresh(`${CLASS_MAP_OUTPUT}/threshold`);
      graph.initializer.push(constant(threshold, floats([options.threshold], [])));
      add('Greater', [threshold]);
    } else {
      add('ArgMax', [], { axis: axis!, keepdims: 0 });
      rank -= 1;
    }
  }
  graph.node.push(operation('Cast', [last], [CLASS_MAP_OUTPUT], { attributes: { to: dataType('uint8') } }));
  const sizes = ['batch', 'rows', 'columns', 'more'].slice(0, rank);
  graph.output = [declaration(CLASS_MAP_OUTPUT, 'uint8', sizes), ...outputs];
  return writeModel(model);
}

function mapOutput(graph: GraphProto, { output }: ClassMapOptions): TensorInfo {
  const declared = output === undefined ? (graph.output.length === 1 ? graph.output[0] : undefined) : named(graph, output);
  const names = graph.output.map(({ name }) => `"${name}"`).join(', ');
  if (!declared) {
    throw new EdgeError('EDGE_MODEL_MANIFEST', `output.parameters.output: expected one of the outputs ${names || '(none)'}`);
  }
  const [found] = tensorInfo(declared);
  const fits = found && (found.shape.length === 4 || (found.shape.length === 3 && !found.type.startsWith('float')));
  if (fits) return found;
  const form = '[1, classes, rows, columns], [1, rows, columns, classes] or whole numbers [1, rows, columns]';
  throw new EdgeError(
    'EDGE_MODEL_OUTPUT_SHAPE',
    `"${declared.name}" is ${found ? `${found.type} [${found.shape.join(', ')}]` : 'no tensor of numbers'}, expected ${form}`,
  );
}

/** The dimension that is not rows or columns: those stand to each other as the input's height and width do. */
function classAxis({ name, shape }: TensorInfo, { width, height, layout }: ClassMapOptions): 1 | 3 {
  if (layout) return layout === 'NCHW' ? 1 : 3;
  const areCells = (rows: number | string | undefined, columns: number | string | undefined) => {
    if (typeof rows !== 'number' || typeof columns !== 'number' || rows < 1 || columns < 1) return true;
    // A cell's side in pixels, which rounding may have made a little different in both directions.
    return Math.abs(height / rows - width / columns) <= 0.1 * Math.max(height / rows, 1) && rows * columns > 1;
  };
  const [second, last] = [areCells(shape[2], shape[3]), areCells(shape[1], shape[2])];
  if (second !== last) return second ? 1 : 3;
  if (!second) {
    throw new EdgeError('EDGE_MODEL_OUTPUT_SHAPE', `"${name}" is [${shape.join(', ')}] for a picture of ${width}x${height}`);
  }
  throw new EdgeError(
    'EDGE_MODEL_MANIFEST',
    `output.parameters.layout: "${name}" [${shape.join(', ')}] may be NCHW or NHWC, expected one of them`,
  );
}

function named(graph: GraphProto, name: string): GraphProto['output'][number] | undefined {
  return graph.output.find((output) => output.name === name);
}
