import type { Node, NodeMessageInFlow } from 'node-red';
import { asEdgeError } from '../../core/errors';
import { figuresOf } from './figures';
import { logEvent } from './log';
import { reportError } from './report';

/** A message as it reaches a node: anything may be on it, nothing is trusted. */
export type Message = NodeMessageInFlow & { edge?: unknown; [property: string]: unknown };
export type Send = (messages: unknown) => void;

/**
 * The one input wrapper of the palette. The author of a node writes a handler and throws; here the throw becomes a status, a
 * log line and `done(err)` for a Catch node. A rejected promise in an `input` handler would end Node-RED otherwise.
 */
export function onInput(node: Node, handle: (message: Message, send: Send) => void | Promise<void>): void {
  const figures = figuresOf(node);
  node.on('input', (message, send, done) => {
    figures.received += 1;
    const counted: Send = (sent) => {
      if (sent !== null && sent !== undefined) figures.sent += 1;
      (send as Send)(sent);
    };
    const fail = (thrown: unknown) => reportError(node, asEdgeError(thrown), message, done);
    try {
      const running = handle(message as Message, counted);
      if (running) running.then(() => done(), fail);
      else done();
    } catch (thrown) {
      fail(thrown);
    }
  });
}

/** Release everything a node holds. Node-RED waits for `done`, at most 15 s; a failure to release is reported and does not stop it. */
export function onClose(node: Node, release: (removed: boolean) => void | Promise<void>): void {
  node.on('close', (removed: boolean, done: () => void) => {
    Promise.resolve()
      .then(() => release(removed))
      .catch((thrown: unknown) => logEvent(node, 'note', asEdgeError(thrown).message))
      .finally(done);
  });
}
