import { EdgeError } from '../../errors';
import { CLASS_MAP_OUTPUT, CLASS_SUM_OUTPUT } from '../../model/onnx/fold-class-map';
import { notFinite } from '../candidates';
import type { ClassGrid } from '../class-mask';
import type { OtherHead, Outputs } from './head';
import { floatOutput, hasShape, imageSizeOf } from './outputs';

/**
 * A semantic segmentation: scores of every class for every cell of the picture, [1, classes, rows, columns] or [1, rows, columns,
 * classes], or class numbers [1, rows, columns]. The best class is chosen inside the graph (core/model/onnx/fold-class-map.ts). A
 * model of one class has a cell of it, class 1, where its value passes the score threshold (0.5), and class 0 elsewhere.
 *
 * Parameters: `output`, the output's name where the graph has several; `layout`, NCHW or NHWC where the sizes do not tell;
 * `logits` for a model of one class without its sigmoid; `maskSize`, the longest side of the mask in cells (256; 0: no mask; at
 * most 1024).
 */
export const classMap: OtherHead = {
  id: 'class-map',
  task: 'segmentation',
  layout: '[1, classes, rows, columns] or [1, rows, columns, classes] scores, or [1, rows, columns] class numbers',
  source: 'every semantic segmentation; Long et al., Fully Convolutional Networks (2015)',
  // Networks differ: asked for, not guessed.
  input: null,

  // Of the picture's own size, and of a number of planes that is no picture's: an autoencoder gives three, a depth map one.
  matches(inputs, outputs) {
    const size = imageSizeOf(inputs);
    if (!size || outputs.length !== 1) return false;
    const [output] = outputs;
    if (!output!.type.startsWith('float')) return hasShape(output, [1, size.height, size.width]);
    return [
      { planes: output!.shape[1], expected: [1, null, size.height, size.width] },
      { planes: output!.shape[3], expected: [1, size.height, size.width, null] },
    ].some(({ planes, expected }) => hasShape(output, expected) && planes !== 1 && planes !== 3 && Number(planes) <= 256);
  },

  classCount(outputs) {
    const [first] = outputs;
    if (outputs.length !== 1 || first!.shape.length !== 4) return null;
    const sizes = first!.shape.filter((size): size is number => typeof size === 'number' && size > 0);
    // The classes are the fewest of the three.
    return sizes.length === 4 ? Math.min(...sizes.slice(1)) : null;
  },
};

/** What a folded graph gives. @throws EDGE_MODEL_OUTPUT_SHAPE, EDGE_MODEL_OUTPUT_NOT_FINITE */
export function classGridOf(outputs: Outputs): ClassGrid {
  const map = outputs[CLASS_MAP_OUTPUT];
  const sum = outputs[CLASS_SUM_OUTPUT];
  if (sum && !Number.isFinite(floatOutput(sum, CLASS_SUM_OUTPUT).data[0])) throw notFinite();
  const [batch, ...sizes] = map?.shape ?? [];
  // A model of one class keeps its dimension of 1, in front of the rows or behind the columns.
  const [height, width] = sizes.length === 3 ? (sizes[0] === 1 ? sizes.slice(1) : sizes.slice(0, 2)) : sizes;
  const cells = (height ?? 0) * (width ?? 0);
  if (!(map?.data instanceof Uint8Array) || batch !== 1 || cells === 0 || map.data.length !== cells) {
    throw new EdgeError('EDGE_MODEL_OUTPUT_SHAPE', `a map of classes is [${map?.shape.join(', ') ?? ''}]`);
  }
  return { data: map.data, width: width!, height: height! };
}
