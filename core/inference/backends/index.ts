import { isAbsolute } from 'node:path';
import { invalidSetting } from '../../errors';
import type { Backend } from '../backend';

/** The engines of this palette, each loaded when it is first asked for, so that a missing one costs only its users. */
const BACKENDS: Readonly<Record<string, () => Backend>> = {
  'onnxruntime-node': () => (require('./onnxruntime-node') as typeof import('./onnxruntime-node')).onnxruntimeNode,
  'onnxruntime-web': () => (require('./onnxruntime-web') as typeof import('./onnxruntime-web')).onnxruntimeWeb,
};

export const DEFAULT_BACKEND = 'onnxruntime-node';

/** By its id, or an engine of one's own by the absolute path of a module that exports it as `backend`. @throws EDGE_SETTING for an engine that is not in the table. */
export function findBackend(id: string): Backend {
  if (isAbsolute(id)) return (require(id) as { backend: Backend }).backend;
  const load = Object.hasOwn(BACKENDS, id) ? BACKENDS[id] : undefined;
  if (!load) throw invalidSetting('inference backend', `one of ${Object.keys(BACKENDS).join(', ')}`, id);
  return load();
}
