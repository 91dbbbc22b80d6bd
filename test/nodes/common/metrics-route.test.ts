import { EventEmitter } from 'node:events';
import { join } from 'node:path';
import type { Node, NodeAPI } from 'node-red';
import { figuresOf, labelsOf } from '../../../nodes/common/figures';
import { ROOT } from '../../support/needs';
import { nodeTypes } from '../../support/node-types';

type Answer = (request: object, response: object, next: () => void) => void;

/** As much of Node-RED as a node set sees while it loads. */
function runtime(settings: object = {}) {
  const routes: [path: string, answer: Answer][] = [];
  const get = (path: string, ...handlers: Answer[]) => void routes.push([path, handlers.at(-1)!]);
  const RED = {
    settings,
    httpAdmin: { get, post: () => {} },
    nodes: { registerType: () => {} },
    auth: { needsPermission: () => () => {} },
    log: { warn: () => {} },
  } as unknown as NodeAPI;
  return { RED, answers: () => routes.filter(([path]) => path === '/edgeloom/metrics').map(([, answer]) => answer) };
}

describe('the route of the metrics', () => {
  it.each(nodeTypes())('is there when %s is the only node set that is enabled', (type) => {
    const { RED, answers } = runtime();
    require(join(ROOT, 'dist', 'nodes', type, `${type}.js`))(RED);
    expect(answers()).toHaveLength(1);
  });

  it('is made once, whatever loads first, and answered by the code that was loaded last', () => {
    const { RED, answers } = runtime({ edgeloom: { metricsToken: 'the-token-of-the-old-code' } });
    for (const type of nodeTypes()) require(join(ROOT, 'dist', 'nodes', type, `${type}.js`))(RED);
    expect(answers()).toHaveLength(1);
    // As after an update of the palette: the same web server, new modules.
    jest.isolateModules(() => {
      const settings = { edgeloom: { metricsToken: 'the-token-of-the-new-code' } };
      require('../../../nodes/common/metrics-route').serveMetrics({ ...RED, settings });
    });
    expect(answers()).toHaveLength(1);
    const statusFor = (token: string) => {
      const response = { statusCode: 200, setHeader: () => {}, write: () => {}, end: () => {}, destroy: () => {} };
      answers()[0]!({ headers: { authorization: `Bearer ${token}` }, socket: {} }, response, () => {});
      return response.statusCode;
    };
    expect([statusFor('the-token-of-the-new-code'), statusFor('the-token-of-the-old-code')]).toEqual([200, 401]);
  });

  it.each([
    ['no token', {}],
    ['an empty one', { edgeloom: { metricsToken: ' ' } }],
    ['one that could be guessed', { edgeloom: { metricsToken: 'short' } }],
    ['something that is no text', { edgeloom: { metricsToken: { length: 100 } } }],
  ])('is not there with %s, whatever is asked', (_what, settings) => {
    const { RED, answers } = runtime(settings);
    require('../../../nodes/common/metrics-route').serveMetrics(RED);
    let passedOn = 0;
    for (const authorization of [undefined, '', 'Bearer ', 'Bearer short', 'Bearer [object Object]']) {
      answers()[0]!({ headers: { authorization }, socket: {} }, {}, () => {
        passedOn += 1;
      });
    }
    expect(passedOn).toBe(5);
  });
});

describe('the labels of a node', () => {
  const node = (properties: object) =>
    Object.assign(new EventEmitter(), { type: 'edge-infer', ...properties }) as unknown as Node;

  it('are its id, type and name', () => {
    expect(labelsOf(node({ id: 'a1', name: 'gate' }))).toEqual({ id: 'a1', type: 'edge-infer', name: 'gate' });
    expect(labelsOf(node({ id: 'a1' }))).toEqual({ id: 'a1', type: 'edge-infer', name: '' });
  });

  it('stay the same in a subflow, where the id is another after each deploy', () => {
    const first = node({ id: 'new1', _alias: 'template', _flow: { path: 'tab/instance/inner' } });
    const second = node({ id: 'new2', _alias: 'template', _flow: { path: 'tab/instance/inner' } });
    expect(labelsOf(first).id).toBe('instance/inner/template');
    expect(labelsOf(second)).toEqual(labelsOf(first));
  });

  it('end with the node', () => {
    const one = node({ id: 'a1' });
    const figures = figuresOf(one);
    expect(figuresOf(one)).toBe(figures);
    one.emit('close');
    expect(figuresOf(one)).not.toBe(figures);
    expect(one.listenerCount('close')).toBe(1);
  });
});
