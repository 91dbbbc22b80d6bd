import type { Node, NodeAPI } from 'node-red';
import { EdgeError } from '../../core/errors';
import { construct } from '../common/construct';
import { watchQueue } from '../common/drops';
import { type Place, placeOf } from '../common/handover';
import { logEvent } from '../common/log';
import { serveMetrics } from '../common/metrics-route';
import { type ModelEvent, ModelOwner, NO_SETTINGS, storeFolder } from '../common/model-owner';
import { onClose } from '../common/on-input';
import { withOutcome } from '../common/outcome';
import { clearStatus } from '../common/status';
import { Display } from './display';
import { modelProvider, Runner, type RunnerSettings } from './runner';
import { type Config, queueSettings, taskOptions } from './settings';

/** A message of this topic is a command about the model and no input. */
const MODEL_TOPIC = 'edgeloom/model';

/** What stays when a deploy makes the node anew. */
interface Inference {
  runner: Runner;
  display: Display;
}

module.exports = (RED: NodeAPI) => {
  function EdgeInfer(this: Node, config: Config) {
    RED.nodes.createNode(this, config);
    construct(this, () => {
      const settings: RunnerSettings = {
        options: taskOptions(config),
        queue: queueSettings(config),
        // Without a model node there is still something to see: the packaged detector.
        model: config.model ? modelProvider(RED.nodes.getNode(config.model)) : null,
      };
      const place: Place<Inference> = placeOf(
        RED,
        this,
        () => {
          const log = (event: ModelEvent, what: string) => logEvent(place.node, event, what);
          const openPackaged = () => new ModelOwner(() => NO_SETTINGS, storeFolder(RED), log);
          const display = new Display();
          return { display, runner: new Runner(settings, openPackaged, (error) => display.keptModel(place.node, error)) };
        },
        ({ runner }) => runner.close(),
      );
      const { runner, display } = place.belongings;
      runner.use(settings);
      watchQueue(this, () => runner.stats());
      const forget = runner.model.onState((state) => display.state(this, runner, state));

      place.serve(async (message) => {
        if (message.topic === MODEL_TOPIC) {
          await display.command(() => command(runner, message.payload));
          return null;
        }
        const outcome = await runner.run(message.payload);
        if (outcome === null) return null;
        return (node) => {
          node.send(withOutcome(message, node.name || node.type, outcome));
          display.outcome(node, runner, outcome);
        };
      });

      onClose(this, async (removed) => {
        forget();
        clearStatus(this);
        await place.leave(removed);
      });
    });
  }

  RED.nodes.registerType('edge-infer', EdgeInfer);
  serveMetrics(RED);
};

/** @throws EDGE_INPUT_TYPE for a command that is none, and what keeps the reloaded model from taking over */
async function command(runner: Runner, payload: unknown): Promise<void> {
  if (payload !== 'reload') throw new EdgeError('EDGE_INPUT_TYPE', `${MODEL_TOPIC} takes the payload "reload"`);
  await runner.reload();
}
