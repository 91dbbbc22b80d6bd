import { createHash } from 'node:crypto';
import { EdgeError } from '../errors';
import type { Tensors } from '../inference/backend';
import { type InferenceHost, type Lease, sharedHost } from '../inference/host';
import { fitToInput } from '../media/fit';
import { toFrame } from '../media/image-input';
import type { TensorInfo } from '../message/tensor';
import type { ImageInput, Manifest, ResolvedModel } from '../model/manifest';
import { foldedModel } from '../model/onnx/graph-thread';
import { ModelStore } from '../model/store';
import { acquire } from './acquire';
import type { Decoder } from './decoder';
import { decoderFor } from './decoders';
import type { Task, TaskInfo, TaskOptions, TaskOutcome } from './task';

/** Changes whenever what is folded into a graph gives other graphs for the same manifest: files made before are then made anew. */
const FOLD_RECIPE = 1;

/**
 * Open a model of pictures. The graph gets its normalisation folded in once, so that a picture goes into the model as the bytes
 * that sharp made; one run on a grey picture then shows whether the head understands what the model gives.
 * @throws EDGE_MODEL_*, EDGE_RUNTIME_*, EDGE_STORE_WRITE
 */
export async function openImageTask(
  model: ResolvedModel,
  input: ImageInput,
  options: TaskOptions,
  host: InferenceHost = sharedHost(),
): Promise<Task> {
  const { manifest } = model;
  const decoder = decoderFor(manifest, input, options);
  const runnable = await takingPixels(model, input, decoder.classMap);
  const { lease, warnings } = await acquire(host, runnable, model, options);
  try {
    const task = new ImageTask(manifest, input, lease, decoder, warnings);
    await task.check();
    return task;
  } catch (thrown) {
    await lease.release();
    throw thrown;
  }
}

class ImageTask implements Task {
  readonly concurrency = 2;
  /** What the decoder says once it has seen an output. */
  private settled: readonly string[] = [];
  private readonly inputName: string;
  /** Settles when the run before this one has handed its picture to the session: keeps results in order. */
  private handedOver: Promise<void> = Promise.resolve();
  private closed = false;

  constructor(
    private readonly manifest: Manifest,
    private readonly input: ImageInput,
    private readonly lease: Lease,
    private readonly decoder: Decoder,
    private readonly warnings: readonly string[],
  ) {
    this.inputName = pixelInput(lease.info.inputs, input);
  }

  get info(): TaskInfo {
    const session = this.lease.info;
    return { manifest: this.manifest, session, warnings: [...session.warnings, ...this.warnings, ...this.settled] };
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
      const result = this.decoder.decode(outputs, placement);
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
    this.settled = this.decoder.settle(outputs);
    this.decoder.decode(outputs, { sourceWidth: width, sourceHeight: height, scaleX: 1, scaleY: 1, offsetX: 0, offsetY: 0 });
  }

  private feeds(pixels: Uint8Array): Tensors {
    const shape = [1, this.input.height, this.input.width, 3];
    return { [this.inputName]: { type: 'uint8', shape, data: pixels as Uint8Array<ArrayBuffer> } };
  }
}

/** The model itself where it takes RGB bytes row by row, else the same model with that folded in, made once and kept. */
async function takingPixels(
  model: ResolvedModel,
  input: ImageInput,
  classMap: Decoder['classMap'],
): Promise<{ path: string; sha256: string }> {
  const { path, sha256, storeFolder } = model;
  const takesPixels = input.normalisedInGraph === true && input.layout === 'NHWC' && input.colours === 'rgb';
  if (takesPixels && !classMap) return { path, sha256 };
  const { name, width, height, layout, colours, mean, scale } = input;
  const said = [FOLD_RECIPE, name, width, height, layout, colours, mean, scale, ...(classMap ? [takesPixels, classMap] : [])];
  const recipe = `pixels-${digest(JSON.stringify(said)).slice(0, 16)}`;
  const folding = { ...(takesPixels ? {} : { input }), ...(classMap ? { classMap } : {}) };
  const folded = await new ModelStore(storeFolder).derive(sha256, recipe, () => foldedModel(path, folding));
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
