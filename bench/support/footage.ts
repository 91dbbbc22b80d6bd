import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openRecording } from '../../core/media/recording';
import type { Frame } from '../../core/message/frame';
import type { Detection } from '../../core/message/results';
import type { Task } from '../../core/task';
import { parseGroundTruth, type TruthBox } from './mot';

/** A clip with its ground truth: `NAME.avi` or `NAME.mp4` beside `NAME-gt.txt` in MOTChallenge's form. */
export interface Clip {
  name: string;
  path: string;
  truth: TruthBox[];
  /** The last frame that is annotated; frames are counted from 1. */
  frames: number;
}

/** What a detector found in one frame. */
export interface DetectedFrame {
  /** Milliseconds from the clip's beginning. */
  at: number;
  image: { width: number; height: number };
  detections: Detection[];
}

/** @throws Error when there is none */
export function findClips(folder: string): Clip[] {
  const clips = readdirSync(folder)
    .filter((file) => /\.(avi|mp4)$/i.test(file))
    .sort()
    .flatMap((file): Clip[] => {
      const name = file.slice(0, file.lastIndexOf('.'));
      const truthFile = join(folder, `${name}-gt.txt`);
      if (!existsSync(truthFile)) return [];
      const truth = parseGroundTruth(readFileSync(truthFile, 'utf8'));
      const frames = truth.reduce((last, { frame }) => Math.max(last, frame), 0);
      return [{ name, path: join(folder, file), truth, frames }];
    });
  if (clips.length === 0) throw new Error(`no NAME.avi or NAME.mp4 with NAME-gt.txt in ${folder}`);
  return clips;
}

/** The clip's annotated frames in order, decoded by FFmpeg as a camera's would be. */
export async function* playClip({ path, frames }: Pick<Clip, 'path' | 'frames'>): AsyncGenerator<{ frame: Frame; at: number }> {
  const recording = await openRecording(path);
  let count = 0;
  for await (const recorded of recording.play((error) => {
    throw error;
  })) {
    yield recorded;
    count += 1;
    if (count >= frames) break;
  }
}

export async function detect(task: Task, frame: Frame, at: number): Promise<DetectedFrame> {
  const { result } = await task.run(frame);
  if (result.schema !== 'edgeloom/detections/1') throw new Error(`${result.model} is not a detector`);
  return { at, image: result.image, detections: result.detections };
}
