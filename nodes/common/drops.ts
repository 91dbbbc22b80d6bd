import type { Node } from 'node-red';
import type { QueueStats } from '../../core/inference/queue';
import { figuresOf } from './figures';
import { logEvent } from './log';

/** Milliseconds between two lines about what a queue let go: dropping is what a camera's queue is for, so it is no news. */
const SUMMARY_MS = 10 * 60_000;

/** Put a node's queue into its metrics, and into the log, now and then, how much its policy dropped. */
export function watchQueue(node: Node, stats: () => QueueStats): void {
  figuresOf(node).queue = stats;
  let before = stats();
  const timer = setInterval(() => {
    const now = stats();
    const dropped = now.dropped - before.dropped;
    if (dropped > 0) {
      logEvent(node, 'dropped', `${dropped} of ${now.in - before.in} messages in the last ${SUMMARY_MS / 60_000} minutes`);
    }
    before = now;
  }, SUMMARY_MS);
  timer.unref();
  node.on('close', () => clearInterval(timer));
}
