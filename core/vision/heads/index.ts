import { EdgeError } from '../../errors';
import type { TensorInfo } from '../../message/tensor';
import type { Clues } from '../../model/infer';
import type { TaskKind } from '../../model/manifest';
import { blazeface } from './blazeface';
import { classMap } from './class-map';
import { embedding } from './embedding';
import { endToEnd, endToEndPose } from './end-to-end';
import { fastestdet } from './fastestdet';
import type { DetectionHead, Head } from './head';
import { movenet, movenetMulti } from './movenet';
import { nanodet } from './nanodet';
import { softmax } from './softmax';
import { ssd } from './ssd';
import { tensorflowDetection } from './tensorflow-detection';
import { ultraface } from './ultraface';
import { yolov3 } from './yolov3';
import { yolov5 } from './yolov5';
import { yolov8 } from './yolov8';
import { yolov8Pose } from './yolov8-pose';
import { yolov8Segment } from './yolov8-segment';
import { yolox } from './yolox';
import { yunet } from './yunet';

/** Every family that this palette understands. A new one is a file beside these and a line here. */
export const HEADS: readonly Head[] = [
  blazeface,
  classMap,
  embedding,
  endToEnd,
  endToEndPose,
  fastestdet,
  movenet,
  movenetMulti,
  nanodet,
  softmax,
  ssd,
  tensorflowDetection,
  ultraface,
  yolov3,
  yolov5,
  yolov8,
  yolov8Pose,
  yolov8Segment,
  yolox,
  yunet,
];

/** What Ultralytics calls a task, in this palette's words. */
const EXPORTED_TASKS: Readonly<Record<string, TaskKind>> = {
  detect: 'detection',
  segment: 'detection',
  pose: 'pose',
  classify: 'classification',
};

/** @throws EDGE_MODEL_UNSUPPORTED with the names that exist. */
export function headNamed(id: string): Head {
  const head = HEADS.find((candidate) => candidate.id === id);
  if (head) return head;
  const known = HEADS.map((candidate) => candidate.id).join(', ');
  throw new EdgeError('EDGE_MODEL_UNSUPPORTED', `no head "${id.slice(0, 80)}"; known are ${known}`);
}

export function isDetectionHead(head: Head): head is DetectionHead {
  return head.task === 'detection' || head.task === 'pose';
}

/** @throws EDGE_MODEL_UNSUPPORTED when there is no such head, or it is one for another task. */
export function detectionHeadNamed(id: string, task: DetectionHead['task']): DetectionHead {
  const head = headNamed(id);
  if (isDetectionHead(head) && head.task === task) return head;
  throw new EdgeError('EDGE_MODEL_UNSUPPORTED', `the head "${id}" is for ${head.task}, not for ${task}`);
}

/**
 * The families whose signature these inputs and outputs have. Where there are several, in this order: the task that was said or
 * that the exporter wrote, then the number of labels. More than one is left only where nothing tells them apart: the user is
 * asked then, and none is preferred.
 */
export function headsFor(
  inputs: readonly TensorInfo[],
  outputs: readonly TensorInfo[],
  clues: Clues = { exporter: { unread: [] } },
): readonly Head[] {
  const { exporter, labels = exporter.names?.length } = clues;
  const task = clues.task ?? EXPORTED_TASKS[exporter.task ?? ''];
  // Rotated boxes look like others with one class more and must not be read as such.
  if (exporter.task === 'obb') return [];
  const matching = HEADS.filter((head) => (task ?? head.task) === head.task && head.matches(inputs, outputs, exporter));
  if (matching.length < 2 || labels === undefined) return matching;
  const counted = matching.filter((head) => head.classCount(outputs) === labels);
  return counted.length > 0 ? counted : matching;
}
