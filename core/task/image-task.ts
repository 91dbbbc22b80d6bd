import { createHash } from 'node:crypto';
import { EdgeError } from '../errors';
import type { Tensors } from '../inference/backend';
import { type InferenceHost, type Lease, sharedHost } from '../inference/host';
import { fitToInput } from '../media/fit';
import { toFrame } from '../media/image-input';
import { boxToSource, type Placement, pointToSource } from '../media/letterbox';
import type { Detection, Result } from '../message/results';
import type { TensorInfo } from '../message/tensor';
import type { HeadSettings, ImageInput, Manifest, ResolvedModel } from '../model/manifest';
import { foldedModel } from '../model/onnx/graph-thread';
import { ModelStore } from '../model/store';
import { headNamed } from '../vision/heads';
import type { DetectionHead, Outputs } from '../vision/heads/head';
import { ClassificationHead } from './classification';
import { sessionOptions } from './session-options';
import type { Task, TaskInfo, TaskOptions, TaskOutcome } from './task';

/** Changes whenever foldImageInput writes other graphs for the same input: the files made before are then made anew. */
const FOLD_RECIPE = 1;

/**
 * Open a detector or classifier of pictures. The graph gets its normalisation folded in once, so that a picture goes into the
 * model as the bytes that sharp made; one run on a grey picture then shows whether the head understands what the model gives.
 * @throws EDGE_MODEL_*, EDGE_RUNTIME_*, EDGE_STORE_WRITE
 */
export async function openImageTask(
  model: ResolvedModel,
  input: ImageInput,
  options: TaskOptions,
  host: InferenceHost = sharedHost(),
): Promise<Task> {
  const { manifest } = model;
  const head = manifest.task === 'detection' ? headNamed(manifest.output.head) : null;
  const runnable = await takingPixels(model, input);
  const lease = await host.acquire({ ...runnable, ...sessionOptions(model, options) });
  try {
    const task = new ImageTask(manifest, input, options, lease, head);
    await task.check();
    return task;
  } catch (thrown) {
    await lease.release();
    throw thrown;
  }
}

class ImageTask implements Task {
  readonly concurrency = 2;
  private readonly warnings: string[] = [];
  private readonly settings: HeadSettings;
  private readonly only: ReadonlySet<string> | undefined;
  private readonly inputName: string;
  /** Settles when the run before this one has handed its picture to the session: keeps results in order. */
  private handedOver: Promise<void> = Promise.resolve();
  private classifier: ClassificationHead | undefined;
  private closed = false;

  constructor(
    private readonly manifest: Manifest,
    private readonly input: ImageInput,
    options: TaskOptions,
    private readonly lease: Lease,
    private readonly head: DetectionHead | null,
  ) {
    this.settings = { ...manifest.output };
    for (const name of ['scoreThreshold', 'iouThreshold', 'maxDetections'] as const) {
      if (options[name] !== undefined) this.settings[name] = options[name];
    }
    this.only = options.labels && options.labels.length > 0 ? new Set(options.labels) : undefined;
    this.inputName = pixelInput(lease.info.inputs, input);
  }

  get info(): TaskInfo {
    return { manifest: this.manifest, session: this.lease.info, warnings: this.warnings };
  }

  async run(payload: unknown, signal?: AbortSignal): Promise<TaskOutcome> {
    if (this.closed) throw new EdgeError('EDGE_SESSION_CLOSED', this.manifest.id);
    const before = this.handedOver;
    let handOver = () => {};
    this.handedOver = new Promise((resolve) => {
      handOver = resolve;
    });
    try {
      const started = performance.now();
      const frame = await toFrame(payload);
      const { pixels, placement } = await fitToInput(frame, this.input);
      const prepare = performance.now() - started;
      await before;
      const running = this.lease.run(this.feeds(pixels), signal);
      handOver();
      const { outputs, queueMs, runMs } = await running;
      const decoding = performance.now();
      const result = this.decode(outputs, placement);
      return { result, frame, timings: { prepare, queue: queueMs, run: runMs, decode: performance.now() - decoding } };
    } finally {
      handOver();
    }
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.lease.release();
  }

  /** One run on a grey picture: a head that does not fit is found at deploy, not at the first visitor. */
  async check(): Promise<void> {
    const { width, height } = this.input;
    const { outputs } = await this.lease.run(this.feeds(new Uint8Array(width * height * 3).fill(114)));
    const { labels } = this.manifest;
    if (!this.head) this.classifier = new ClassificationHead(outputs, labels, this.settings);
    this.decode(outputs, { sourceWidth: width, sourceHeight: height, scaleX: 1, scaleY: 1, offsetX: 0, offsetY: 0 });
    const classes = (this.head ?? this.classifier)!.classCount(outputs);
    if (labels.length === 0) {
      this.warnings.push(`The model names none of its ${classes} classes; they are called "class 0" and so on`);
    } else if (labels.length !== classes) {
      this.warnings.push(`The model has ${classes} classes and its manifest ${labels.length} labels`);
    }
    const unknown = [...(this.only ?? [])].filter((label) => labels.length > 0 && !labels.includes(label));
    if (unknown.length > 0) this.warnings.push(`The model knows no ${unknown.map((label) => `"${label}"`).join(', ')}`);
  }

  private feeds(pixels: Uint8Array): Tensors {
    const shape = [1, this.input.height, this.input.width, 3];
    return { [this.inputName]: { type: 'uint8', shape, data: pixels as Uint8Array<ArrayBuffer> } };
  }

  private decode(outputs: Outputs, placement: Placement): Result {
    const model = `${this.manifest.id}@${this.manifest.version}`;
    const image = { width: placement.sourceWidth, height: placement.sourceHeight };
    if (!this.head) {
      return { schema: 'edgeloom/classification/1', model, image, classes: this.classifier!.decode(outputs, this.only) };
    }
    const found = this.head.decode(outputs, {
      input: this.input,
      labels: this.manifest.labels,
      settings: this.settings,
      ...(this.only ? { only: this.only } : {}),
    });
    const detections = found.flatMap((detection) => toSource(detection, placement) ?? []);
    return { schema: 'edgeloom/detections/1', model, image, detections };
  }
}

/** In pixels of the source picture, to a hundredth: more digits would only make messages longer. Null outside of it. */
function toSource(detection: Detection, placement: Placement): Detection | null {
  const box = boxToSource(detection.box, placement);
  if (!box) return null;
  const mapped: Detection = {
    label: detection.label,
    score: round(detection.score, 10_000),
    box: { x: round(box.x), y: round(box.y), width: round(box.width), height: round(box.height) },
  };
  if (detection.keypoints) {
    mapped.keypoints = detection.keypoints.map((point) => {
      const at = pointToSource(point, placement);
      return { x: round(at.x), y: round(at.y) };
    });
  }
  return mapped;
}

function round(value: number, steps = 100): number {
  return Math.round(value * steps) / steps;
}

/** The model itself where it takes RGB bytes row by row, else the same model with that folded in, made once and kept. */
async function takingPixels(model: ResolvedModel, input: ImageInput): Promise<{ path: string; sha256: string }> {
  const { path, sha256, storeFolder } = model;
  if (input.normalisedInGraph && input.layout === 'NHWC' && input.colours === 'rgb') return { path, sha256 };
  const { name, width, height, layout, colours, mean, scale } = input;
  const recipe = `pixels-${digest(JSON.stringify([FOLD_RECIPE, name, width, height, layout, colours, mean, scale])).slice(0, 16)}`;
  const folded = await new ModelStore(storeFolder).derive(sha256, recipe, () => foldedModel(path, input));
  return { path: folded, sha256: digest(`${sha256}-${recipe}`) };
}

function pixelInput(inputs: readonly TensorInfo[], input: ImageInput): string {
  const found = input.name === undefined ? inputs[0] : inputs.find((info) => info.name === input.name);
  if (!found || inputs.length !== 1) {
    const names = inputs.map((info) => `"${info.name}"`).join(', ');
    throw new EdgeError(
      'EDGE_MODEL_UNSUPPORTED',
      `a model of pictures with one input is expected, this one has ${names || 'none'}`,
    );
  }
  const expected = [1, input.height, input.width, 3];
  const fits =
    found.type === 'uint8' &&
    found.shape.length === 4 &&
    found.shape.every((size, i) => typeof size === 'string' || size < 0 || size === expected[i]);
  if (!fits) {
    throw new EdgeError(
      'EDGE_MODEL_INPUT_SHAPE',
      `"${found.name}" is ${found.type} [${found.shape.join(', ')}], the manifest says uint8 [${expected.join(', ')}]`,
    );
  }
  return found.name;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
