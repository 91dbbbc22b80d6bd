import type { NodeDef } from 'node-red';
import type { TaskOptions } from '../../core/task';
import { choiceSetting, numberSetting, textSetting } from '../common/settings';
import type { QueueSettings } from './runner';

export interface Config extends NodeDef {
  model: string;
  scoreThreshold: string;
  labels: string;
  policy: string;
  capacity: string;
  batchSize: string;
  batchWait: string;
}

const POLICIES = ['latest', 'drop-oldest', 'drop-newest', 'wait', 'batch'] as const;

/** @throws EDGE_SETTING */
export function taskOptions(config: Config): TaskOptions {
  const labels = textSetting('labels', config.labels)
    .split(',')
    .map((label) => label.trim())
    .filter((label) => label !== '');
  const score = numberSetting('score threshold', config.scoreThreshold, { min: 0, max: 1, fallback: -1 });
  return { labels, ...(score >= 0 ? { scoreThreshold: score } : {}) };
}

/** @throws EDGE_SETTING */
export function queueSettings(config: Config): QueueSettings {
  const policy = choiceSetting('queue policy', config.policy, POLICIES);
  const capacity = numberSetting('queue capacity', config.capacity, { min: 1, max: 10_000, fallback: 10, integer: true });
  if (policy !== 'batch') return { policy, capacity };
  const size = numberSetting('batch size', config.batchSize, { min: 1, max: 1_000, fallback: 8, integer: true });
  const longestWaitMs = numberSetting('longest wait', config.batchWait, { min: 1, max: 60_000, fallback: 100 });
  return { policy, capacity: Math.max(capacity, size), size, longestWaitMs };
}
