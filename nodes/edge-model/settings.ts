import { EdgeError } from '../../core/errors';
import { EXECUTION_PROVIDERS } from '../../core/inference/backend';
import { parsePartialManifest } from '../../core/model/parse-manifest';
import { BACKEND_CHOICES, type TaskOptions } from '../../core/task';
import type { ModelSettings } from '../common/model-owner';
import { choiceSetting, numberSetting, textSetting } from '../common/settings';

/** The properties of an edge-model node, as the dialog keeps them: texts, empty where the model itself is to say it. */
export interface ModelConfig {
  source?: unknown;
  sha256?: unknown;
  scoreThreshold?: unknown;
  iouThreshold?: unknown;
  maxDetections?: unknown;
  placement?: unknown;
  threads?: unknown;
  backend?: unknown;
  executionProvider?: unknown;
  runTimeout?: unknown;
  memoryLimit?: unknown;
  task?: unknown;
  head?: unknown;
  width?: unknown;
  height?: unknown;
  layout?: unknown;
  colours?: unknown;
  fit?: unknown;
  mean?: unknown;
  scale?: unknown;
  labels?: unknown;
}

/** @throws EDGE_SETTING, EDGE_MODEL_MANIFEST */
export function modelSettings(config: ModelConfig): ModelSettings {
  return { source: sourceOf(config), manifest: manifestOf(config), options: optionsOf(config) };
}

function sourceOf(config: ModelConfig): string {
  const source = textSetting('source', config.source);
  const sha256 = textSetting('SHA-256', config.sha256).toLowerCase();
  if (sha256 === '' || !/^(https|npm):/i.test(source) || source.includes('#')) return source;
  if (!/^[0-9a-f]{64}$/.test(sha256)) throw new EdgeError('EDGE_SETTING', 'SHA-256: expected 64 hexadecimal digits');
  return `${source}#sha256=${sha256}`;
}

function optionsOf(config: ModelConfig): TaskOptions {
  const unset = Number.NaN;
  const score = numberSetting('score threshold', config.scoreThreshold, { min: 0, max: 1, fallback: unset });
  const iou = numberSetting('overlap', config.iouThreshold, { min: 0, max: 1, fallback: unset });
  const most = numberSetting('most detections', config.maxDetections, { min: 1, max: 1000, fallback: unset, integer: true });
  const threads = numberSetting('threads', config.threads, { min: 1, max: 64, fallback: unset, integer: true });
  const seconds = numberSetting('longest run', config.runTimeout, { min: 0.1, max: 86_400, fallback: unset });
  const megabytes = numberSetting('most memory', config.memoryLimit, { min: 64, max: 4_194_304, fallback: unset });
  return {
    backend: choiceSetting('engine', config.backend, BACKEND_CHOICES),
    executionProvider: choiceSetting('execution provider', config.executionProvider, ['auto', ...EXECUTION_PROVIDERS]),
    placement: choiceSetting('placement', config.placement, ['auto', 'worker', 'main', 'process']),
    ...(Number.isNaN(score) ? {} : { scoreThreshold: score }),
    ...(Number.isNaN(iou) ? {} : { iouThreshold: iou }),
    ...(Number.isNaN(most) ? {} : { maxDetections: most }),
    ...(Number.isNaN(threads) ? {} : { threads }),
    ...(Number.isNaN(seconds) ? {} : { runTimeoutMs: seconds * 1000 }),
    ...(Number.isNaN(megabytes) ? {} : { memoryLimit: megabytes * 2 ** 20 }),
  };
}

function manifestOf(config: ModelConfig) {
  const task = textSetting('task', config.task);
  const head = textSetting('family', config.head);
  const labels = textSetting('labels', config.labels);
  const colours = textSetting('colours', config.colours);
  const channels = colours === 'grey' ? 1 : 3;
  const input = present({
    width: number(config.width),
    height: number(config.height),
    layout: text(config.layout),
    colours: text(config.colours),
    fit: text(config.fit),
    mean: perChannel('mean', config.mean, channels),
    scale: perChannel('scale', config.scale, channels),
  });
  const manifest = present({
    task: task || undefined,
    input: task !== 'tensors' && Object.keys(input).length > 0 ? input : undefined,
    output: task !== 'tensors' && head ? { head } : undefined,
    labels: labels ? list(labels) : undefined,
  });
  return parsePartialManifest(manifest, 'the model node');
}

/** One number stands for every channel. */
function perChannel(name: string, value: unknown, channels: number): number[] | undefined {
  const said = textSetting(name, typeof value === 'number' ? String(value) : value);
  if (said === '') return undefined;
  const numbers = list(said).map(Number);
  return numbers.length === 1 ? new Array<number>(channels).fill(numbers[0]!) : numbers;
}

/** Lines or commas apart. An empty entry is kept: it is a class that is never reported. */
function list(value: string): string[] {
  return value.split(value.includes('\n') ? '\n' : ',').map((part) => part.trim());
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined;
}

function number(value: unknown): number | undefined {
  return value === undefined || value === null || value === '' ? undefined : Number(value);
}

function present<T extends Record<string, unknown>>(fields: T): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;
}
