import type { Node, NodeAPI, NodeDef } from 'node-red';
import { logEvent } from '../common/log';
import { serveMetrics } from '../common/metrics-route';
import { ModelOwner, type ModelProvider, storeFolder } from '../common/model-owner';
import { onClose } from '../common/on-input';
import { registerRoutes } from './routes';
import { type ModelConfig, modelSettings } from './settings';

/** One model for all the nodes that use it. It loads when the first of them asks; a wrong setting is told to each of them. */
module.exports = (RED: NodeAPI) => {
  function EdgeModel(this: Node & ModelProvider, config: NodeDef & ModelConfig) {
    RED.nodes.createNode(this, config);
    const owner = new ModelOwner(
      () => modelSettings(config),
      storeFolder(RED),
      (event, what) => logEvent(this, event, what),
    );
    this.task = (options) => owner.task(options);
    this.manifest = () => owner.manifest();
    this.onState = (listener) => owner.onState(listener);
    onClose(this, () => owner.close());
  }

  RED.nodes.registerType('edge-model', EdgeModel);
  registerRoutes(RED);
  serveMetrics(RED);
};
