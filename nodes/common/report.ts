import type { Node, NodeMessage } from 'node-red';
import type { EdgeError } from '../../core/errors';
import { status } from './status';

/** Milliseconds in which the same code at the same node is logged once. Catch nodes see every error all the same. */
const QUIET_MS = 30_000;

interface Repeats {
  since: number;
  suppressed: number;
}

const logged = new WeakMap<Node, Map<string, Repeats>>();

type FlowNode = Node & { _flow?: { handleError?: (node: Node, error: unknown, message: unknown) => boolean } };

/**
 * Report an error at a node: a red status with the code, the error to Catch nodes, and the log, where a repeated code is
 * written once in 30 s together with how often it came since. `done` is absent at source nodes.
 */
export function reportError(node: Node, error: EdgeError, message?: NodeMessage, done?: (error?: Error) => void): void {
  status(node, 'red', error.code);
  const { log, suppressed } = countRepeat(node, error.code);
  if (log) {
    if (suppressed > 0) node.warn(`${error.code} came ${suppressed} more times in the last ${QUIET_MS / 1000} s`);
    if (done) done(error);
    // Catch nodes see only errors that come with a message.
    else node.error(error, message ?? ({} as NodeMessage));
    return;
  }
  // node.error() would both catch and log; the flow's own handler only catches. `done` must still get the error: without it the
  // message would count as completed.
  const flow = (node as FlowNode)._flow;
  const own = Object.getOwnPropertyDescriptor(node, 'error');
  node.error = (repeated: unknown, about?: unknown) => {
    flow?.handleError?.(node, repeated, about ?? {});
  };
  try {
    if (done) done(error);
    else node.error(error, message ?? ({} as NodeMessage));
  } finally {
    if (own) Object.defineProperty(node, 'error', own);
    else Reflect.deleteProperty(node, 'error');
  }
}

function countRepeat(node: Node, code: string): { log: boolean; suppressed: number } {
  const codes = logged.get(node) ?? new Map<string, Repeats>();
  logged.set(node, codes);
  const now = Date.now();
  const repeats = codes.get(code);
  if (repeats && now - repeats.since < QUIET_MS) {
    repeats.suppressed += 1;
    return { log: false, suppressed: 0 };
  }
  codes.set(code, { since: now, suppressed: 0 });
  return { log: true, suppressed: repeats?.suppressed ?? 0 };
}
