import { EdgeError } from '../../errors';
import { elementCount, type TensorInfo } from '../../message/tensor';
import type { HeadSettings } from '../../model/manifest';
import { Candidates, notFinite } from '../candidates';
import { scoreThresholdOf, toDetections } from './detections';
import type { DetectionHead, Outputs } from './head';
import { imageSizeOf, outputOf } from './outputs';

type Role = 'boxes' | 'scores' | 'classes' | 'count';

/** The names in TensorFlow's saved models, and those of the operator in TFLite files. */
const NAMES: Readonly<Record<Role, RegExp>> = {
  boxes: /^(.*\/)?detection_boxes(:0)?$|^TFLite_Detection_PostProcess$/,
  classes: /^(.*\/)?detection_classes(:0)?$|^TFLite_Detection_PostProcess:1$/,
  scores: /^(.*\/)?detection_scores(:0)?$|^TFLite_Detection_PostProcess:2$/,
  count: /^(.*\/)?num_detections(:0)?$|^TFLite_Detection_PostProcess:3$/,
};
const MOST_CLASSES = 65_535;

/**
 * Detectors of TensorFlow's Object Detection API with their suppression in the graph (SSD, EfficientDet, Faster R-CNN): boxes
 * [1, rows, 4], top, left, bottom, right relative to the picture; scores [1, rows]; class numbers [1, rows]; how many rows hold
 * something [1]. Nothing is suppressed again unless an `iouThreshold` is set.
 *
 * Parameters: `outputs`, names by role (`{"boxes": ..., "scores": ..., "classes": ..., "count": ...}`; the count may be left
 * out) where they are not TensorFlow's; `firstClass`, the number of the first label: 1 as TensorFlow counts, 0 for the operator
 * of TFLite files.
 */
export const tensorflowDetection: DetectionHead = {
  id: 'tensorflow-detection',
  task: 'detection',
  layout:
    '`detection_boxes` [1, rows, 4], `detection_scores` and `detection_classes` [1, rows], `num_detections` [1]; suppressed',
  source: 'github.com/tensorflow/models research/object_detection/exporter_lib_v2.py; TFLite_Detection_PostProcess',
  // Most have their normalisation inside, some do not: asked for, not guessed.
  input: null,

  matches(inputs, outputs) {
    const [boxes, scores, classes] = (['boxes', 'scores', 'classes'] as const).map((role) => named(outputs, role));
    const isImage = imageSizeOf(inputs) !== null || inputs.filter(({ shape }) => shape.length === 4).length === 1;
    const fits = (info: TensorInfo | undefined, rank: number) => info !== undefined && info.shape.length === rank;
    if (!isImage || !fits(boxes, 3) || !fits(scores, 2) || !fits(classes, 2)) return false;
    const rows = [boxes!.shape[1], scores!.shape[1], classes!.shape[1]];
    return boxes!.shape[2] === 4 && rows.every((size) => typeof size === 'number' && size > 0 && size === rows[0]);
  },

  // The numbers are values, not columns.
  classCount: () => null,

  decode(outputs, context) {
    const { input, labels, settings } = context;
    const names = namesOf(outputs, settings);
    const boxes = outputOf(outputs, names.boxes, [1, null, 4]);
    const rows = boxes.shape[1]!;
    const scores = outputOf(outputs, names.scores, [1, rows]).data;
    const classes = numbersOf(outputs, names.classes, rows);
    const count = names.count === undefined ? rows : Math.min(rows, numbersOf(outputs, names.count, 1)[0]!);
    const firstClass = firstClassOf(settings, names.classes);
    const threshold = scoreThresholdOf(settings);
    const candidates = new Candidates();
    if (Number.isNaN(count)) throw notFinite();
    for (let row = 0; row < count; row++) {
      const score = scores[row]!;
      if (!(score >= threshold)) {
        if (Number.isNaN(score)) throw notFinite();
        continue;
      }
      const index = Math.round(classes[row]!) - firstClass;
      if (!(index >= 0 && index <= MOST_CLASSES)) {
        if (Number.isNaN(index)) throw notFinite();
        throw new EdgeError('EDGE_MODEL_OUTPUT_SHAPE', `a class number of ${classes[row]}`, {
          mend: 'If the model counts its classes from 0, set output.parameters.firstClass to 0 in its manifest',
        });
      }
      if (labels[index] === '') continue;
      const at = 4 * row;
      candidates.add(
        boxes.data[at + 1]! * input.width,
        boxes.data[at]! * input.height,
        boxes.data[at + 3]! * input.width,
        boxes.data[at + 2]! * input.height,
        score,
        index,
        row,
      );
    }
    return toDetections(candidates, { ...context, settings: { iouThreshold: 1, ...settings } });
  },
};

function named<T extends { name: string }>(outputs: readonly T[], role: Role): T | undefined {
  return outputs.find(({ name }) => NAMES[role].test(name));
}

/** Roles without a name of TensorFlow's or the manifest's are missed when they are read. */
function namesOf(
  outputs: Outputs,
  { parameters }: HeadSettings,
): Record<'boxes' | 'scores' | 'classes', string> & { count?: string } {
  const infos = Object.keys(outputs).map((name) => ({ name }));
  const said = (typeof parameters?.outputs === 'object' && parameters.outputs !== null ? parameters.outputs : {}) as object;
  const nameOf = (role: Role): string | undefined => {
    const name: unknown = Object.hasOwn(said, role) ? said[role as keyof typeof said] : undefined;
    return typeof name === 'string' ? name : named(infos, role)?.name;
  };
  const count = nameOf('count');
  return {
    boxes: nameOf('boxes') ?? 'detection_boxes',
    scores: nameOf('scores') ?? 'detection_scores',
    classes: nameOf('classes') ?? 'detection_classes',
    ...(count === undefined ? {} : { count }),
  };
}

function firstClassOf({ parameters }: HeadSettings, name: string): number {
  const said = parameters?.firstClass;
  if (said === undefined) return name.startsWith('TFLite') ? 0 : 1;
  if (typeof said === 'number' && Number.isInteger(said) && said >= 0 && said <= MOST_CLASSES) return said;
  throw new EdgeError('EDGE_MODEL_MANIFEST', 'output.parameters.firstClass: expected a whole number from 0');
}

/** Class numbers and counts are floats in some exports and integers in others. */
function numbersOf(outputs: Outputs, name: string, length: number): ArrayLike<number> {
  const tensor = Object.hasOwn(outputs, name) ? outputs[name] : undefined;
  if (tensor && tensor.data.length === length && elementCount(tensor.shape) === length && tensor.type !== 'float16') {
    return Float64Array.from(tensor.data as ArrayLike<number | bigint>, Number);
  }
  return outputOf(outputs, name, length === 1 ? [1] : [1, length]).data;
}
