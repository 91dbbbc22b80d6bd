import type { Node, NodeAPI, NodeDef } from 'node-red';
import { type Place, placeOf } from '../common/handover';
import { logEvent } from '../common/log';
import { serveMetrics } from '../common/metrics-route';
import { ModelOwner, type ModelProvider, storeFolder } from '../common/model-owner';
import { onClose } from '../common/on-input';
import { registerRoutes } from './routes';
import { type ModelConfig, modelSettings } from './settings';

/**
 * One model for all the nodes that use it. It loads when the first of them asks; a wrong setting is told to each of them. A
 * redeploy keeps it loaded, and with other settings the users go over to the other model while they run.
 */
module.exports = (RED: NodeAPI) => {
  function EdgeModel(this: Node & ModelProvider & { model: ModelProvider }, config: NodeDef & ModelConfig) {
    RED.nodes.createNode(this, config);
    const settings = () => modelSettings(config);
    const place: Place<ModelOwner> = placeOf(
      RED,
      this,
      () => new ModelOwner(settings, storeFolder(RED), (event, what) => logEvent(place.node, event, what)),
      (owner, removed) => (removed ? owner.retire() : owner.close()),
    );
    const owner = place.belongings;
    owner.use(settings);
    this.model = owner;
    this.task = (options) => owner.task(options);
    this.manifest = () => owner.manifest();
    this.reload = () => owner.reload();
    this.onState = (listener) => owner.onState(listener);
    onClose(this, (removed) => place.leave(removed));
  }

  RED.nodes.registerType('edge-model', EdgeModel);
  registerRoutes(RED);
  serveMetrics(RED);
};
