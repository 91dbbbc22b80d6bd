import type { Node } from 'node-red';

/** Milliseconds in which the same thing at the same node is said once. */
export const QUIET_MS = 30_000;

interface Window {
  again: number;
  timer: NodeJS.Timeout;
}

const windows = new WeakMap<Node, Map<string, Window>>();

/**
 * Says what repeats at a node once, and then every 30 s how often it came since, until it stays away. The one limit for all
 * that the palette logs: a camera that fails ten times a second fills no disk.
 */
export function seldom(node: Node, key: string, first: () => void, again: (times: number) => void): void {
  const known = windowsOf(node);
  const open = known.get(key);
  if (open) {
    open.again += 1;
    return;
  }
  const timer = setInterval(() => {
    if (window.again === 0) {
      clearInterval(timer);
      known.delete(key);
      return;
    }
    const times = window.again;
    window.again = 0;
    again(times);
  }, QUIET_MS);
  timer.unref();
  const window: Window = { again: 0, timer };
  known.set(key, window);
  first();
}

function windowsOf(node: Node): Map<string, Window> {
  const known = windows.get(node);
  if (known) return known;
  const made = new Map<string, Window>();
  windows.set(node, made);
  node.on('close', () => {
    for (const { timer } of made.values()) clearInterval(timer);
    made.clear();
  });
  return made;
}
