import type { Node, NodeAPI, NodeDef } from 'node-red';
import { EdgeError } from '../../core/errors';
import { provenanceOf } from '../../core/message/provenance';
import { construct } from '../common/construct';
import { watchQueue } from '../common/drops';
import { placeOf } from '../common/handover';
import { serveMetrics } from '../common/metrics-route';
import type { ModelProvider } from '../common/model-owner';
import { onClose } from '../common/on-input';
import { clearStatus, status } from '../common/status';
import { Preparation } from './preparation';
import { type PrepareConfig, prepareSettings } from './settings';

module.exports = (RED: NodeAPI) => {
  function EdgePrepare(this: Node, config: NodeDef & PrepareConfig) {
    RED.nodes.createNode(this, config);
    construct(this, () => {
      const settings = prepareSettings(config);
      const model = settings.output === 'tensor' && config.model ? modelNode(RED.nodes.getNode(config.model)) : null;
      const place = placeOf(
        RED,
        this,
        () => new Preparation(settings, model),
        (preparation) => preparation.close(),
      );
      const preparation = place.belongings;
      preparation.use(settings, model);
      watchQueue(this, () => preparation.stats());

      place.serve(async (message) => {
        const prepared = await preparation.run(message.payload);
        if (!prepared) return null;
        return (node) => {
          const { properties, frame, milliseconds } = prepared;
          const edge = provenanceOf(message, node.name || node.type);
          const timings = { ...edge.timings, prepare: milliseconds };
          node.send(Object.assign(message, properties, { edge: { ...edge, timings, ...(frame ? { frame } : {}) } }));
          status(node, 'green', preparation.figures(milliseconds));
        };
      });
      onClose(this, async (removed) => {
        clearStatus(this);
        await place.leave(removed);
      });
    });
  }

  RED.nodes.registerType('edge-prepare', EdgePrepare);
  serveMetrics(RED);
};

function modelNode(node: unknown): ModelProvider {
  if (typeof node === 'object' && node !== null && 'manifest' in node) return node as ModelProvider;
  throw new EdgeError('EDGE_MODEL_NONE', 'the chosen model node does not exist or is disabled');
}
