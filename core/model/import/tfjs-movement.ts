import { EdgeError } from '../../errors';
import { elementCount } from '../../message/tensor';
import { dataType } from '../onnx/tensor';
import { concat, int32s, reshape, resolveShape, slice, tile, transpose } from './arrays';
import { channelsFirstAxis, type GraphBuilder, type Value } from './graph-builder';
import { axisAt, fromFront, inputAt, numbersAt, type Operator, unsupported } from './operator';
import { list, number, type TfjsNode } from './tfjs-file';

/** Operators that move values and compute nothing. */

export const shapeOf: Operator = (node, inputs, graph) => [graph.constant(int32s(inputAt(node, inputs, 0).shape))];

export const reshapeTo: Operator = (node, inputs, graph) => {
  const value = inputAt(node, inputs, 0);
  return [reshaped(value, resolveShape(numbersAt(node, inputs, 1), elementCount(value.shape)), graph)];
};

export const expandDims: Operator = (node, inputs, graph) => {
  const value = inputAt(node, inputs, 0);
  const axis = axisAt(node, inputs, 1, value.shape.length + 1);
  return [reshaped(value, value.shape.toSpliced(axis, 0, 1), graph)];
};

export const squeeze: Operator = (node, inputs, graph) => {
  const value = inputAt(node, inputs, 0);
  const listed = [...list<number>(node, 'squeeze_dims'), ...list<number>(node, 'axis')];
  const axes = listed.map((axis) => fromFront(node, axis, value.shape.length));
  const shape = value.shape.filter((size, axis) => (axes.length > 0 ? !axes.includes(axis) : size !== 1));
  if (elementCount(shape) !== elementCount(value.shape))
    throw unsupported(node, `[${value.shape.join(', ')}] to [${shape.join(', ')}]`);
  return [reshaped(value, shape, graph)];
};

export const transposed: Operator = (node, inputs, graph) => {
  const value = inputAt(node, inputs, 0);
  const order = numbersAt(node, inputs, 1);
  if (value.constant) return [graph.constant(transpose(value.constant, order))];
  const shape = order.map((axis) => value.shape[axis]!);
  return [graph.emit('Transpose', [graph.name(value)], { type: value.type, shape }, { perm: order })];
};

/** The axis is the last input. */
export const concatenate: Operator = (node, inputs, graph) => {
  const values = inputs.slice(0, -1);
  const rank = inputAt(node, values, 0).shape.length;
  const axis = axisAt(node, inputs, inputs.length - 1, rank);
  const constants = values.map(({ constant }) => constant);
  if (constants.every((constant) => constant !== undefined)) return [graph.constant(concat(constants, axis))];
  const total = values.reduce((sum, { shape }) => sum + shape[axis]!, 0);
  const { type, shape } = values[0]!;
  const channelsFirst = values.some((value) => value.channelsFirst !== undefined && !value.constant);
  const names = values.map((value) => (channelsFirst ? graph.channelsFirst(value) : graph.name(value)));
  const joined = { type, shape: shape.with(axis, total), channelsFirst };
  return [graph.emit('Concat', names, joined, { axis: channelsFirst ? channelsFirstAxis(axis) : axis })];
};

export const pack: Operator = (node, inputs, graph) => {
  const axis = fromFront(node, number(node, 'axis', 0), inputAt(node, inputs, 0).shape.length + 1);
  const widened = inputs.map((value) => reshaped(value, value.shape.toSpliced(axis, 0, 1), graph));
  return concatenate(node, [...widened, graph.constant(int32s([axis], []))], graph);
};

export const unpack: Operator = (node, inputs, graph) => {
  const value = inputAt(node, inputs, 0);
  const axis = fromFront(node, number(node, 'axis', 0), value.shape.length);
  const count = value.shape[axis]!;
  const one = value.shape.with(axis, 1);
  const rest = value.shape.toSpliced(axis, 1);
  if (value.constant) {
    const { constant } = value;
    const begin = (at: number) => value.shape.map((_, each) => (each === axis ? at : 0));
    const steps = value.shape.map(() => 1);
    return Array.from({ length: count }, (_, at) => graph.constant(reshape(slice(constant, begin(at), one, steps), rest)));
  }
  const parts = graph.emitMany('Split', [graph.name(value)], count, { axis });
  return parts.map((plain) => reshaped({ type: value.type, shape: one, plain }, rest, graph));
};

/** A size of -1 is all that is left. */
export const sliceOf: Operator = (node, inputs, graph) => {
  const value = inputAt(node, inputs, 0);
  const begin = numbersAt(node, inputs, 1);
  const size = numbersAt(node, inputs, 2).map((count, axis) => (count === -1 ? value.shape[axis]! - begin[axis]! : count));
  return [cut(node, value, begin, size, new Array<number>(begin.length).fill(1), graph)];
};

export const stridedSlice: Operator = (node, inputs, graph) => {
  const value = inputAt(node, inputs, 0);
  const [begins, ends, steps] = [1, 2, 3].map((at) => numbersAt(node, inputs, at)) as [number[], number[], number[]];
  const mask = (name: string, at: number) => ((number(node, name, 0) >> at) & 1) === 1;
  const entries = begins.map((_, at) => at);
  const added = entries.filter((at) => mask('new_axis_mask', at)).length;
  const begin: number[] = [];
  const size: number[] = [];
  const step: number[] = [];
  const shape: number[] = [];
  const whole = (axis: number) => {
    begin.push(0);
    size.push(value.shape[axis]!);
    step.push(1);
    shape.push(value.shape[axis]!);
  };
  for (const at of entries) {
    const axis = begin.length;
    if (mask('ellipsis_mask', at)) {
      const left = value.shape.length - (begins.length - 1 - added);
      for (let count = 0; count < left; count += 1) whole(axis + count);
    } else if (mask('new_axis_mask', at)) {
      shape.push(1);
    } else {
      const range = rangeOf(value.shape[axis]!, {
        begin: mask('begin_mask', at) ? undefined : begins[at]!,
        end: mask('end_mask', at) ? undefined : ends[at]!,
        step: steps[at] ?? 1,
      });
      const shrink = mask('shrink_axis_mask', at);
      begin.push(range.begin);
      step.push(range.step);
      size.push(shrink ? 1 : range.count);
      if (!shrink) shape.push(range.count);
    }
  }
  while (begin.length < value.shape.length) whole(begin.length);
  return [reshaped(cut(node, value, begin, size, step, graph), shape, graph)];
};

export const tileOf: Operator = (node, inputs, graph) => {
  const value = inputAt(node, inputs, 0);
  const repeats = numbersAt(node, inputs, 1);
  if (value.constant) return [graph.constant(tile(value.constant, repeats))];
  if (repeats.every((count) => count === 1)) return [value];
  const shape = value.shape.map((size, axis) => size * repeats[axis]!);
  return [graph.emit('Tile', [graph.name(value), graph.integers(repeats)], { type: value.type, shape })];
};

export const gather: Operator = (node, inputs, graph) => {
  const [value, indices] = [inputAt(node, inputs, 0), inputAt(node, inputs, 1)];
  const axis = inputs.length > 2 ? axisAt(node, inputs, 2, value.shape.length) : 0;
  if (number(node, 'batch_dims', 0) !== 0) throw unsupported(node, 'batch dimensions');
  const shape = [...value.shape.slice(0, axis), ...indices.shape, ...value.shape.slice(axis + 1)];
  return [graph.emit('Gather', [graph.name(value), graph.name(indices)], { type: value.type, shape }, { axis })];
};

export const gatherNd: Operator = (node, inputs, graph) => {
  const [value, indices] = [inputAt(node, inputs, 0), inputAt(node, inputs, 1)];
  const depth = indices.shape.at(-1) ?? 0;
  const shape = [...indices.shape.slice(0, -1), ...value.shape.slice(depth)];
  const wide = graph.emit('Cast', [graph.name(indices)], { type: 'int64', shape: indices.shape }, { to: dataType('int64') });
  return [graph.emit('GatherND', [graph.name(value), graph.name(wide)], { type: value.type, shape })];
};

/** Elements in their order, in another shape. Nothing is emitted where the shape is the same. */
function reshaped(value: Value, shape: readonly number[], graph: GraphBuilder): Value {
  if (value.constant) return graph.constant(reshape(value.constant, shape));
  if (shape.length === value.shape.length && shape.every((size, axis) => size === value.shape[axis])) return value;
  return graph.emit('Reshape', [graph.name(value), graph.integers(shape)], { type: value.type, shape });
}

function cut(node: TfjsNode, value: Value, begin: number[], size: number[], step: number[], graph: GraphBuilder): Value {
  const fits = size.every((count, axis) => {
    const last = begin[axis]! + (count - 1) * step[axis]!;
    return count >= 0 && begin[axis]! >= 0 && (count === 0 || (last >= 0 && last < value.shape[axis]!));
  });
  if (!fits) {
    throw new EdgeError('EDGE_MODEL_INVALID', `${node.op} "${node.name}" reaches outside of [${value.shape.join(', ')}]`);
  }
  if (value.constant) return graph.constant(slice(value.constant, begin, size, step));
  const axes = size.flatMap((count, axis) => (count === value.shape[axis] && step[axis] === 1 ? [] : [axis]));
  if (axes.length === 0) return value;
  // Backwards, "before the first" is below the lowest index that ONNX counts from the end.
  const ends = begin.map((from, axis) => {
    const end = from + size[axis]! * step[axis]!;
    return end < 0 ? -value.shape[axis]! - 1 : end;
  });
  const parameters = [begin, ends].map((values) => graph.integers(axes.map((axis) => values[axis]!)));
  const names = [graph.name(value), ...parameters, graph.integers(axes), graph.integers(axes.map((axis) => step[axis]!))];
  return graph.emit('Slice', names, { type: value.type, shape: size });
}

/** A Python slice of an axis: undefined is open, negative counts from the end, both are clamped. */
function rangeOf(length: number, { begin, end, step }: { begin: number | undefined; end: number | undefined; step: number }) {
  const low = step > 0 ? 0 : -1;
  const high = step > 0 ? length : length - 1;
  const clamp = (at: number) => Math.min(Math.max(at < 0 ? at + length : at, low), high);
  const from = begin === undefined ? (step > 0 ? 0 : length - 1) : clamp(begin);
  const to = end === undefined ? (step > 0 ? length : -1) : clamp(end);
  return { begin: from, step, count: Math.max(0, Math.ceil((to - from) / step)) };
}
