import type { Node } from 'node-red';
import { asEdgeError } from '../../core/errors';
import { figuresOf } from './figures';
import { reportError } from './report';

/**
 * Build a node. A wrong setting must not throw out of the constructor, where Node-RED would log a stack and show nothing: it
 * becomes a red status and an error with a code, reported once every node of the flow stands, so that a Catch node sees it.
 */
export function construct(node: Node, build: () => void): void {
  figuresOf(node);
  try {
    build();
  } catch (thrown) {
    const error = asEdgeError(thrown, 'EDGE_SETTING');
    setImmediate(() => reportError(node, error));
    node.on('input', (message, _send, done) => {
      figuresOf(node).received += 1;
      reportError(node, error, message, done);
    });
  }
}
