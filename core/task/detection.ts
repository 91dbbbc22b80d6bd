import { boxToSource, type Placement, pointToSource } from '../media/letterbox';
import type { Detection, DetectionResult, Keypoint, PoseResult } from '../message/results';
import type { TensorInfo } from '../message/tensor';
import type { ImageInput } from '../model/manifest';
import { keypoint, skeletonOf } from '../vision/heads/body';
import type { DetectionHead, HeadContext, Outputs } from '../vision/heads/head';
import { type Decoder, type DecoderSettings, labelWarnings, round, sourceSize } from './decoder';

/** A detector or pose estimator, by its head. */
export class DetectionDecoder implements Decoder {
  private readonly context: HeadContext;
  private skeleton: PoseResult['skeleton'] = [];

  constructor(
    private readonly head: DetectionHead,
    input: ImageInput,
    private readonly settings: DecoderSettings,
  ) {
    const { labels, only } = settings;
    this.context = { input, labels, settings: settings.settings, ...(only ? { only } : {}) };
  }

  settle(outputs: Outputs): string[] {
    const infos = Object.entries(outputs).map(([name, { type, shape }]): TensorInfo => ({ name, type, shape }));
    const { settings } = this.context;
    if (this.head.keypointCount) this.skeleton = skeletonOf(settings, this.head.keypointCount(infos, settings));
    return labelWarnings(this.settings, this.head.classCount(infos, settings));
  }

  decode(outputs: Outputs, placement: Placement): DetectionResult | PoseResult {
    const { model } = this.settings;
    const image = sourceSize(placement);
    const detections = this.head.decode(outputs, this.context).flatMap((found) => toSource(found, placement) ?? []);
    if (this.head.task === 'pose') return { schema: 'edgeloom/poses/1', model, image, detections, skeleton: this.skeleton };
    return { schema: 'edgeloom/detections/1', model, image, detections };
  }
}

/** In pixels of the source picture, to a hundredth: more digits would only make messages longer. Null outside of it. */
function toSource(detection: Detection, placement: Placement): Detection | null {
  const box = boxToSource(detection.box, placement);
  if (!box) return null;
  return {
    label: detection.label,
    score: round(detection.score, 10_000),
    box: { x: round(box.x), y: round(box.y), width: round(box.width), height: round(box.height) },
    ...(detection.keypoints ? { keypoints: detection.keypoints.map((point) => keypointToSource(point, placement)) } : {}),
  };
}

function keypointToSource(point: Keypoint, placement: Placement): Keypoint {
  const { name, score } = point;
  const { x, y } = pointToSource(point, placement);
  // Rounding inside int8 graphs may leave 0 to 1 by a step.
  const bounded = score === undefined ? undefined : round(Math.min(Math.max(score, 0), 1), 10_000);
  return keypoint(name, round(x), round(y), bounded);
}
