import type { SessionSpec } from '../inference/host';
import type { Manifest } from '../model/manifest';
import type { TaskOptions } from './task';

/** How a model's session is made. Foreign int8 weights use all 8 bits and would saturate on x64 without VNNI; ours use 7. */
export function sessionOptions(manifest: Manifest, options: TaskOptions): Pick<SessionSpec, 'name' | 'placement' | 'options'> {
  return {
    name: manifest.id,
    placement: options.placement ?? 'auto',
    options: {
      ...(options.threads === undefined ? {} : { threads: options.threads }),
      ...(manifest.quantization === 'int8' && !manifest.source.startsWith('package:') ? { preciseInt8: true } : {}),
    },
  };
}
