import { EdgeError } from '../../errors';
import type { TensorInfo } from '../../message/tensor';
import { fastestdet } from './fastestdet';
import type { DetectionHead } from './head';
import { nanodet } from './nanodet';
import { ssd } from './ssd';
import { ultraface } from './ultraface';
import { yolov8 } from './yolov8';
import { yolox } from './yolox';
import { yunet } from './yunet';

/** Every detector family that this palette understands. A new one is a file beside these and a line here. */
export const HEADS: readonly DetectionHead[] = [fastestdet, nanodet, ssd, ultraface, yolov8, yolox, yunet];

/** @throws EDGE_MODEL_UNSUPPORTED with the names that exist. */
export function headNamed(id: string): DetectionHead {
  const head = HEADS.find((candidate) => candidate.id === id);
  if (head) return head;
  const known = HEADS.map((candidate) => candidate.id).join(', ');
  throw new EdgeError('EDGE_MODEL_UNSUPPORTED', `no head "${id.slice(0, 80)}"; known are ${known}`);
}

/** The one family whose signature these inputs and outputs have; null when none or more than one has. */
export function headOf(inputs: readonly TensorInfo[], outputs: readonly TensorInfo[]): DetectionHead | null {
  const matching = HEADS.filter((head) => head.matches(inputs, outputs));
  return matching.length === 1 ? matching[0]! : null;
}
