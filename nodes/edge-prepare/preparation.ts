import { asEdgeError, EdgeError } from '../../core/errors';
import { BoundedQueue, type QueueOptions, type QueueStats } from '../../core/inference/queue';
import { toFrame } from '../../core/media/image-input';
import { prepareFrame, prepareJpeg, prepareTensor, type TensorTarget } from '../../core/media/prepare';
import type { Frame } from '../../core/message/frame';
import type { ModelProvider } from '../common/model-owner';
import { Rate } from '../common/rate';
import type { PrepareSettings } from './settings';

/** What becomes of a message: properties that are laid over it. */
export interface Prepared {
  properties: Record<string, unknown>;
  /** The picture that a tensor was made of. */
  frame?: Frame;
  milliseconds: number;
}

/** Pictures behind a queue; it outlives its node's redeploy, which may bring other settings. */
export class Preparation {
  private readonly queue: BoundedQueue<unknown, Prepared>;
  private readonly rate = new Rate();
  private closed = false;

  constructor(
    private settings: PrepareSettings,
    private model: ModelProvider | null,
  ) {
    this.queue = new BoundedQueue(this.queueOptions());
  }

  use(settings: PrepareSettings, model: ModelProvider | null): void {
    this.settings = settings;
    this.model = model;
    this.queue.change(this.queueOptions());
  }

  /** Null where the policy dropped the payload, or the node was closed while it waited. @throws what preparing it throws */
  async run(payload: unknown): Promise<Prepared | null> {
    try {
      const pushed = await this.queue.push(payload);
      return pushed.dropped ? null : pushed.value;
    } catch (thrown) {
      if (this.closed && asEdgeError(thrown).code === 'EDGE_SESSION_CLOSED') return null;
      throw thrown;
    }
  }

  stats(): QueueStats {
    return this.queue.stats();
  }

  /** One more was sent: its milliseconds, the rate, and what was dropped, for the status. */
  figures(milliseconds: number): string {
    this.rate.count();
    const { dropped } = this.queue.stats();
    const lost = dropped > 0 ? ` · ${dropped} dropped` : '';
    return `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms · ${this.rate.perSecond().toFixed(1)}/s${lost}`;
  }

  close(): void {
    this.closed = true;
    this.queue.close();
  }

  private queueOptions(): QueueOptions<unknown, Prepared> {
    return { ...this.settings.queue, work: (payload: unknown) => prepare(payload, this.settings, this.model) };
  }
}

async function prepare(payload: unknown, settings: PrepareSettings, model: ModelProvider | null): Promise<Prepared> {
  const started = performance.now();
  const frame = await toFrame(payload);
  const { edit, colours, quality, output } = settings;
  const done = (properties: Record<string, unknown>) => ({ properties, milliseconds: performance.now() - started });
  if (output === 'jpeg') return done({ payload: await prepareJpeg(frame, { ...edit, colours, quality }) });
  if (output === 'frame') return done({ payload: await prepareFrame(frame, { ...edit, colours }) });
  const target = settings.tensor ?? (await targetOf(model!));
  const { tensor, placement } = await prepareTensor(frame, target, edit.crop);
  return { ...done({ payload: tensor, placement }), frame };
}

async function targetOf(model: ModelProvider): Promise<TensorTarget> {
  const { input, id } = await model.manifest();
  if (input.kind !== 'image') throw new EdgeError('EDGE_MODEL_INCOMPLETE', `${id} does not take a picture`);
  if (!input.normalisedInGraph) return { ...input, type: 'float32' };
  return { ...input, mean: [0], scale: [1], type: 'uint8' };
}
