import type { Node, NodeAPI, NodeDef } from 'node-red';
import { asEdgeError } from '../../core/errors';
import { construct } from '../common/construct';
import { serveMetrics } from '../common/metrics-route';
import { onClose, onInput } from '../common/on-input';
import { reportError } from '../common/report';
import { numberSetting } from '../common/settings';
import { clearStatus } from '../common/status';
import { Preview, textView } from './preview';

interface Config extends NodeDef {
  width: string;
  rate: string;
}

module.exports = (RED: NodeAPI) => {
  /** By the id that the editor knows: in a subflow that is the node of the template, and the last instance made is seen. */
  const previews = new Map<string, { preview: Preview; node: Node; failed: boolean }>();

  function EdgePreview(this: Node & { _alias?: string }, config: Config) {
    RED.nodes.createNode(this, config);
    construct(this, () => {
      const width = numberSetting('width', config.width, { min: 40, max: 1920, fallback: 320, integer: true });
      const rate = numberSetting('pictures per second', config.rate, { min: 0.1, max: 25, fallback: 2 });
      const preview = new Preview(width, rate);
      const id = this._alias ?? this.id;
      previews.set(id, { preview, node: this, failed: false });

      onInput(this, (message) => preview.put(message));

      onClose(this, () => {
        if (previews.get(id)?.preview === preview) previews.delete(id);
        clearStatus(this);
      });
    });
  }

  RED.nodes.registerType('edge-preview', EdgePreview);
  serveMetrics(RED);

  RED.httpAdmin.get('/edgeloom/preview/:id', RED.auth.needsPermission('edge-preview.read'), async (request, response) => {
    const found = previews.get(String(request.params.id));
    if (!found) {
      // Not deployed yet, or disabled: nothing to show, and no fault of the editor that asks.
      response.status(204).end();
      return;
    }
    const { preview, node } = found;
    const now = performance.now();
    const tag = `"${preview.tag(now)}"`;
    response.set({ ETag: tag, 'Cache-Control': 'private, no-store' });
    if (request.headers['if-none-match'] === tag) {
      response.status(304).end();
      return;
    }
    try {
      response.json(await preview.view(now));
      if (found.failed) clearStatus(node);
      found.failed = false;
    } catch (thrown) {
      const error = asEdgeError(thrown);
      found.failed = true;
      reportError(node, error);
      response.json(textView(0, error.code));
    }
  });
};
