import type { Node } from 'node-red';
import type { EdgeError } from '../../core/errors';
import { maskText, oneLine } from '../../core/secrets';
import { figuresOf } from './figures';
import { QUIET_MS, seldom } from './repeats';

/** What happens at a node beside errors, and how loud it is said. */
const EVENTS = {
  connected: 'log',
  recovered: 'log',
  'model loaded': 'log',
  'model swapped': 'log',
  'model kept': 'warn',
  dropped: 'log',
  note: 'warn',
} as const;

export type LogEvent = keyof typeof EVENTS;
type Level = 'log' | 'warn' | 'error';

/** One line about an event, "connected: mqtt://10.0.0.5:1883"; the same event at the same node once in 30 s. */
export function logEvent(node: Node, event: LogEvent, reason: string): void {
  const level = EVENTS[event];
  seldom(
    node,
    // Two notes are two things.
    event === 'note' ? `${event}: ${reason}` : event,
    () => writeLine(node, level, `${event}: ${reason}`),
    (times) => writeLine(node, level, `${event}: ${again(times)}`),
  );
}

/** One line about an error, "EDGE_SOURCE_TIMEOUT: The source did not answer in time: ...". */
export function logError(node: Node, error: EdgeError, caught: boolean): void {
  seldom(
    node,
    error.code,
    // An error that a Catch node takes care of is no error of the log, but it stays to be read.
    () => writeLine(node, caught ? 'warn' : 'error', error),
    (times) => writeLine(node, 'warn', `${error.code} came ${again(times)}`),
  );
}

/** What the settings keep secret of this node: no line holds it, whoever said it. */
export function secretsOf(node: Node): string[] {
  const credentials = (node as Node<Record<string, unknown>>).credentials ?? {};
  return Object.entries(credentials)
    .filter(([name, value]) => !/user/i.test(name) && typeof value === 'string')
    .map(([, value]) => value as string);
}

/** After an error that was not about one message: it is told once the node is well again. */
export function noteOutage(node: Node, error: EdgeError): void {
  const figures = figuresOf(node);
  figures.outage ??= { code: error.code, since: performance.now() };
}

export function noteRecovery(node: Node): void {
  const figures = figuresOf(node);
  if (!figures.outage) return;
  const { code, since } = figures.outage;
  figures.outage = undefined;
  logEvent(node, 'recovered', `${((performance.now() - since) / 1000).toFixed(1)} s after ${code}`);
}

/** Node-RED puts the node's name before the line as it is, so that a line break in a name would begin a line of its own. */
function writeLine(node: Node, level: Level, said: string | EdgeError): void {
  const speaker: Node = Object.create(node, { name: { value: node.name ? oneLine(node.name, 100) : node.name } });
  speaker[level](typeof said === 'string' ? lineOf(node, said) : errorLine(node, said));
}

/** An error still, so that a log handler of the user's may read its code; without a stack, which has many lines. */
function errorLine(node: Node, error: EdgeError): Error {
  const line = new Error(lineOf(node, error.message));
  Object.defineProperties(line, {
    name: { value: error.code },
    code: { value: error.code, enumerable: true },
    // What is our own fault cannot be found without it.
    stack: { value: error.code === 'EDGE_INTERNAL' ? error.stack : undefined },
  });
  return line;
}

function again(times: number): string {
  return `${times} more ${times === 1 ? 'time' : 'times'} in the last ${QUIET_MS / 1000} s`;
}

function lineOf(node: Node, text: string): string {
  return oneLine(maskText(text, secretsOf(node)));
}
