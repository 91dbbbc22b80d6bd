import type { Node, NodeAPI, NodeDef } from 'node-red';
import type { TaskOptions } from '../../core/task';
import { construct } from '../common/construct';
import { watchQueue } from '../common/drops';
import { logEvent } from '../common/log';
import { serveMetrics } from '../common/metrics-route';
import { ModelOwner, type ModelState, NO_SETTINGS, storeFolder } from '../common/model-owner';
import { onClose, onInput } from '../common/on-input';
import { withOutcome } from '../common/outcome';
import { Rate } from '../common/rate';
import { reportError } from '../common/report';
import { choiceSetting, numberSetting, textSetting } from '../common/settings';
import { clearStatus, status } from '../common/status';
import { modelProvider, type QueueSettings, Runner } from './runner';

interface Config extends NodeDef {
  model: string;
  scoreThreshold: string;
  labels: string;
  policy: string;
  capacity: string;
  batchSize: string;
  batchWait: string;
}

const POLICIES = ['latest', 'drop-oldest', 'drop-newest', 'wait', 'batch'] as const;

module.exports = (RED: NodeAPI) => {
  function EdgeInfer(this: Node, config: Config) {
    RED.nodes.createNode(this, config);
    construct(this, () => {
      const options = taskOptions(config);
      const queue = queueSettings(config);
      // Without a model node there is still something to see: the packaged detector.
      const owned = config.model
        ? null
        : new ModelOwner(
            () => NO_SETTINGS,
            storeFolder(RED),
            (event, what) => logEvent(this, event, what),
          );
      const model = owned ?? modelProvider(RED.nodes.getNode(config.model));
      const forget = model.onState((state) => showState(this, state));
      const runner = new Runner(model, options, queue, (sentence) => logEvent(this, 'note', sentence));
      watchQueue(this, () => runner.stats());
      const rate = new Rate();

      onInput(this, async (message, send) => {
        const outcome = await runner.run(message.payload);
        if (outcome === null) return;
        send(withOutcome(message, this.name || this.type, outcome));
        rate.count();
        const dropped = runner.dropped > 0 ? ` · ${runner.dropped} dropped` : '';
        status(this, 'green', `${milliseconds(outcome.timings.run)} · ${rate.perSecond().toFixed(1)}/s${dropped}`);
      });

      onClose(this, async () => {
        forget();
        await runner.close();
        await owned?.close();
        clearStatus(this);
      });
    });
  }

  RED.nodes.registerType('edge-infer', EdgeInfer);
  serveMetrics(RED);
};

function taskOptions(config: Config): TaskOptions {
  const labels = textSetting('labels', config.labels)
    .split(',')
    .map((label) => label.trim())
    .filter((label) => label !== '');
  const score = numberSetting('score threshold', config.scoreThreshold, { min: 0, max: 1, fallback: -1 });
  return { labels, ...(score >= 0 ? { scoreThreshold: score } : {}) };
}

function queueSettings(config: Config): QueueSettings {
  const policy = choiceSetting('queue policy', config.policy, POLICIES);
  const capacity = numberSetting('queue capacity', config.capacity, { min: 1, max: 10_000, fallback: 10, integer: true });
  if (policy !== 'batch') return { policy, capacity };
  const size = numberSetting('batch size', config.batchSize, { min: 1, max: 1_000, fallback: 8, integer: true });
  const longestWaitMs = numberSetting('longest wait', config.batchWait, { min: 1, max: 60_000, fallback: 100 });
  return { policy, capacity: Math.max(capacity, size), size, longestWaitMs };
}

function showState(node: Node, state: ModelState): void {
  if (state.phase === 'error') reportError(node, state.error);
  else if (state.phase === 'ready') {
    status(node, 'green', state.medianMs === undefined ? 'edge-infer.status.ready' : milliseconds(state.medianMs));
  } else if (state.bytes === undefined) status(node, 'yellow', 'edge-infer.status.loading');
  else status(node, 'yellow', `${megabytes(state.bytes)}${state.total ? ` / ${megabytes(state.total)}` : ''} MB`);
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

function milliseconds(value: number): string {
  return `${value.toFixed(value < 10 ? 1 : 0)} ms`;
}
