import type { Node } from 'node-red';
import { figuresOf, type NodeState } from './figures';
import { noteRecovery } from './log';

export type StatusColour = 'green' | 'yellow' | 'red' | 'blue' | 'grey';

const STATES: Readonly<Record<StatusColour, NodeState>> = {
  green: 'running',
  blue: 'running',
  yellow: 'waiting',
  red: 'failed',
  grey: 'stopped',
};

/** Most often a node's status is sent, in milliseconds: each one goes to every open editor. */
const INTERVAL_MS = 500;

interface Pending {
  sentAt: number;
  last: string;
  timer?: NodeJS.Timeout;
}

const states = new WeakMap<Node, Pending>();

/**
 * Show a status, at most twice a second; the newest wins. Text that starts with a letter is a key of the node's catalogue or
 * an error code and is translated in the viewer's browser; figures start with a digit and are shown as they are.
 */
export function status(node: Node, colour: StatusColour, text: string): void {
  figuresOf(node).state = STATES[colour];
  if (colour === 'green') noteRecovery(node);
  const state = states.get(node) ?? { sentAt: 0, last: '' };
  states.set(node, state);
  const key = `${colour} ${text}`;
  if (key === state.last) return;
  state.last = key;
  clearTimeout(state.timer);
  const send = () => {
    state.sentAt = Date.now();
    node.status({ fill: colour, shape: colour === 'green' ? 'dot' : 'ring', text });
  };
  const wait = state.sentAt + INTERVAL_MS - Date.now();
  if (wait <= 0) send();
  else {
    state.timer = setTimeout(send, wait);
    state.timer.unref();
  }
}

/** Take the status away and drop one that still waits; every node calls it on close. */
export function clearStatus(node: Node): void {
  const state = states.get(node);
  clearTimeout(state?.timer);
  states.delete(node);
  node.status({});
}
