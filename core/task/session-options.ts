import { join } from 'node:path';
import type { SessionSpec } from '../inference/host';
import type { ResolvedModel } from '../model/manifest';
import type { TaskOptions } from './task';

/** How a model's session is made. Foreign int8 weights use all 8 bits and would saturate on x64 without VNNI; ours use 7. */
export function sessionOptions(
  { manifest, storeFolder }: ResolvedModel,
  options: TaskOptions,
): Omit<SessionSpec, 'path' | 'sha256'> {
  return {
    name: manifest.id,
    placement: options.placement ?? 'auto',
    options: {
      ...(options.threads === undefined ? {} : { threads: options.threads }),
      ...(manifest.quantization === 'int8' && !manifest.source.startsWith('package:') ? { preciseInt8: true } : {}),
    },
    limits: {
      ...(options.runTimeoutMs === undefined ? {} : { runMs: options.runTimeoutMs }),
      ...(options.memoryLimit === undefined ? {} : { memoryBytes: options.memoryLimit }),
    },
    stateFolder: join(storeFolder, 'inference'),
    retry: options.retry ?? false,
  };
}
