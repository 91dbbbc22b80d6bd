import type { Node, NodeAPI, NodeDef } from 'node-red';
import { asEdgeError, EdgeError } from '../../core/errors';
import { BoundedQueue } from '../../core/inference/queue';
import { toFrame } from '../../core/media/image-input';
import { prepareFrame, prepareJpeg, prepareTensor, type TensorTarget } from '../../core/media/prepare';
import type { Frame } from '../../core/message/frame';
import { provenanceOf } from '../../core/message/provenance';
import { construct } from '../common/construct';
import { watchQueue } from '../common/drops';
import { serveMetrics } from '../common/metrics-route';
import type { ModelProvider } from '../common/model-owner';
import { onClose, onInput } from '../common/on-input';
import { Rate } from '../common/rate';
import { clearStatus, status } from '../common/status';
import { type PrepareConfig, type PrepareSettings, prepareSettings } from './settings';

/** What becomes of a message: properties that are laid over it. */
interface Prepared {
  properties: Record<string, unknown>;
  frame: Frame;
  milliseconds: number;
}

module.exports = (RED: NodeAPI) => {
  function EdgePrepare(this: Node, config: NodeDef & PrepareConfig) {
    RED.nodes.createNode(this, config);
    construct(this, () => {
      const settings = prepareSettings(config);
      const model = settings.output === 'tensor' && config.model ? modelNode(RED.nodes.getNode(config.model)) : null;
      const queue = new BoundedQueue<unknown, Prepared>({
        ...settings.queue,
        work: (payload: unknown) => prepare(payload, settings, model),
      });
      watchQueue(this, () => queue.stats());
      const rate = new Rate();
      let closed = false;

      onInput(this, async (message, send) => {
        const edge = provenanceOf(message, this.name || this.type);
        const pushed = await queue.push(message.payload).catch((thrown: unknown) => {
          if (closed && asEdgeError(thrown).code === 'EDGE_SESSION_CLOSED') return { dropped: true } as const;
          throw thrown;
        });
        if (pushed.dropped) return;
        const { properties, frame, milliseconds } = pushed.value;
        const timings = { ...edge.timings, prepare: milliseconds };
        send(
          Object.assign(message, properties, { edge: { ...edge, timings, ...(settings.output === 'tensor' ? { frame } : {}) } }),
        );
        rate.count();
        const { dropped } = queue.stats();
        const lost = dropped > 0 ? ` · ${dropped} dropped` : '';
        status(this, 'green', `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms · ${rate.perSecond().toFixed(1)}/s${lost}`);
      });
      onClose(this, () => {
        closed = true;
        queue.close();
        clearStatus(this);
      });
    });
  }

  RED.nodes.registerType('edge-prepare', EdgePrepare);
  serveMetrics(RED);
};

async function prepare(payload: unknown, settings: PrepareSettings, model: ModelProvider | null): Promise<Prepared> {
  const started = performance.now();
  const frame = await toFrame(payload);
  const { edit, colours, quality, output } = settings;
  let properties: Record<string, unknown>;
  if (output === 'jpeg') properties = { payload: await prepareJpeg(frame, { ...edit, colours, quality }) };
  else if (output === 'frame') properties = { payload: await prepareFrame(frame, { ...edit, colours }) };
  else {
    const target = settings.tensor ?? (await targetOf(model!));
    const { tensor, placement } = await prepareTensor(frame, target, edit.crop);
    properties = { payload: tensor, placement };
  }
  return { properties, frame, milliseconds: performance.now() - started };
}

async function targetOf(model: ModelProvider): Promise<TensorTarget> {
  const { input, id } = await model.manifest();
  if (input.kind !== 'image') throw new EdgeError('EDGE_MODEL_INCOMPLETE', `${id} does not take a picture`);
  if (!input.normalisedInGraph) return { ...input, type: 'float32' };
  return { ...input, mean: [0], scale: [1], type: 'uint8' };
}

function modelNode(node: unknown): ModelProvider {
  if (typeof node === 'object' && node !== null && 'manifest' in node) return node as ModelProvider;
  throw new EdgeError('EDGE_MODEL_NONE', 'the chosen model node does not exist or is disabled');
}
