import * as util from '@node-red/util';
import type { NodeAPI } from 'node-red';
import helper from 'node-red-node-test-helper';
import { until } from '../support/until';

helper.init(require.resolve('node-red'));

// The types of the package leave its events out.
const { hooks, events } = util as typeof util & { events: NodeJS.EventEmitter };

type NodeSets = Parameters<typeof helper.load>[0];

/** A node that keeps what arrives. */
export interface Inbox {
  messages: Record<string, unknown>[];
  /** Resolves once so many messages arrived. */
  until(count: number): Promise<Record<string, unknown>[]>;
}

/** Collect what reaches the helper node `id`. */
export function inbox(id: string): Inbox {
  const messages: Record<string, unknown>[] = [];
  const waiting: { count: number; resolve: (all: Record<string, unknown>[]) => void }[] = [];
  helper.getNode(id).on('input', (message: unknown) => {
    messages.push(message as Record<string, unknown>);
    for (const waiter of waiting) if (messages.length >= waiter.count) waiter.resolve(messages);
  });
  return {
    messages,
    until: (count) => new Promise((resolve) => (messages.length >= count ? resolve(messages) : waiting.push({ count, resolve }))),
  };
}

/** Load a flow into a real Node-RED; every node gets a place on the workspace but those marked as `config`. */
export function load(nodes: NodeSets, flow: Record<string, unknown>[], credentials: Record<string, unknown> = {}): Promise<void> {
  // The helper's RED lacks the hooks that Node-RED gives every node.
  const sets = [nodes].flat().map((set) => (RED: NodeAPI) => set(Object.assign(RED, { hooks })));
  return helper.load(sets, placed(flow), credentials);
}

function placed(flow: Record<string, unknown>[]) {
  const nodes = flow.map(({ config, ...node }, index) =>
    config || node.type === 'tab' ? node : { z: 'tab', x: 100, y: 40 * index, wires: [], ...node },
  );
  return [{ id: 'tab', type: 'tab', label: 'test' }, ...nodes] as Parameters<typeof helper.load>[1];
}

interface Runtime {
  _redNodes: { setFlows(flow: unknown, credentials: unknown, type: string): Promise<unknown> };
  _events: NodeJS.EventEmitter;
}

type DeployType = 'full' | 'flows' | 'nodes';

/** Deploy other flows over those that run, as the editor does; resolves when they run. */
export async function deploy(flow: Record<string, unknown>[], type: DeployType): Promise<void> {
  const { _events: events } = helper as unknown as Runtime;
  const started = new Promise((resolve) => events.once('flows:started', resolve));
  await beginDeploy(flow, type);
  await started;
}

/** As `deploy`; resolves when the old flows are closed, and the new ones are only about to start. */
export async function beginDeploy(flow: Record<string, unknown>[], type: DeployType): Promise<void> {
  await (helper as unknown as Runtime)._redNodes.setFlows(placed(flow), {}, type);
}

/** A full deploy; resolves when the flows have started. The helper's own `setFlows` gives up on that after 300 ms. */
export async function redeploy(flow: Record<string, unknown>[]): Promise<void> {
  const started = new Promise<void>((resolve) => events.once('flows:started', () => resolve()));
  const { _redNodes: nodes } = helper as unknown as { _redNodes: { setFlows(...values: unknown[]): Promise<unknown> } };
  await nodes.setFlows([{ id: 'tab', type: 'tab', label: 'test' }, ...flow], {}, 'full');
  await started;
}

export { helper, until };
