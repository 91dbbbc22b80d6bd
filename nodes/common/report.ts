import type { Node, NodeMessage } from 'node-red';
import type { EdgeError } from '../../core/errors';
import { maskError } from '../../core/secrets';
import { figuresOf } from './figures';
import { logError, noteOutage, secretsOf } from './log';
import { status } from './status';

type FlowNode = Node & { _flow?: { handleError?: (node: Node, error: unknown, message: unknown) => boolean } };

/**
 * Report an error at a node: a red status with the code, the error to Catch nodes, which see every one, and the log, where a
 * code that repeats is written once in 30 s. `done` is absent where the error is not about one message: a lost source, a model
 * that cannot be loaded. Such an error is logged even if it was caught, and its end as well.
 */
export function reportError(node: Node, error: EdgeError, message?: NodeMessage, done?: (error?: Error) => void): void {
  status(node, 'red', error.code);
  tellError(node, error, message, done);
  if (!done) noteOutage(node, error);
}

/** The same for an error with which the node goes on as before: its status says how it is. */
export function tellError(node: Node, error: EdgeError, message?: NodeMessage, done?: (error?: Error) => void): void {
  maskError(error, secretsOf(node));
  figuresOf(node).countError(error.code);
  const caught = tellCatchNodes(node, error, message, done);
  if (!done || !caught) logError(node, error, caught);
}

/**
 * node.error() would both catch and log; the flow's own handler only catches. `done` must get the error all the same: without
 * it the message would count as completed.
 */
function tellCatchNodes(node: Node, error: EdgeError, message?: NodeMessage, done?: (error?: Error) => void): boolean {
  const flow = (node as FlowNode)._flow;
  const own = Object.getOwnPropertyDescriptor(node, 'error');
  let caught = false;
  node.error = (told: unknown, about?: unknown) => {
    // Catch nodes see only errors that come with a message.
    caught = flow?.handleError?.(node, told, about ?? {}) === true || caught;
  };
  try {
    if (done) done(error);
    else node.error(error, message ?? ({} as NodeMessage));
  } finally {
    if (own) Object.defineProperty(node, 'error', own);
    else Reflect.deleteProperty(node, 'error');
  }
  return caught;
}
