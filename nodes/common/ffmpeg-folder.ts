import { join } from 'node:path';
import type { NodeAPI } from 'node-red';
import { storeFolder } from './model-owner';

/** Where an FFmpeg that was installed from the editor lies: used where none is named and none is on the PATH. */
export function ffmpegFolder(RED: Pick<NodeAPI, 'settings'>): string {
  return join(storeFolder(RED), 'ffmpeg');
}
