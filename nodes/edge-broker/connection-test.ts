import type { NodeAPI } from 'node-red';
import { parseBrokerAddress, showBrokerAddress } from '../../core/delivery/address';
import { openSession, type TlsSettings } from '../../core/delivery/session';
import { asEdgeError, EdgeError } from '../../core/errors';
import type { BrokerNode } from '../common/broker-node';
import { type BrokerConfig, type BrokerCredentials, brokerOptions } from './broker-settings';

/** What the editor puts into a password field whose value only the runtime knows. */
const STORED = '__PWRD__';
const TEST_TIMEOUT_MS = 8000;
/** Tests at once: each holds a socket, and the dialog needs one. */
const TESTS_AT_ONCE = 4;

interface TestRequest extends BrokerConfig {
  id?: unknown;
  user?: unknown;
  password?: unknown;
}

/**
 * POST edgeloom/broker/test: connects with what stands in the dialog and says what is wrong, in words and with a code.
 * A stored password goes only where it goes anyway: to the address and user of the deployed broker. Otherwise a test against
 * one's own listener would read it out.
 */
export function serveConnectionTest(RED: NodeAPI, tlsOf: (id: unknown) => TlsSettings | null): void {
  let running = 0;

  RED.httpAdmin.post('/edgeloom/broker/test', RED.auth.needsPermission('edge-broker.write'), (request, response) => {
    if (running >= TESTS_AT_ONCE) {
      response.status(429).json({ code: 'EDGE_QUEUE_FULL', message: 'Other tests are still running' });
      return;
    }
    running += 1;
    test(request.body)
      .then(
        (answer) => response.json({ ok: true, ...answer }),
        (thrown: unknown) => {
          const { code, message } = asEdgeError(thrown);
          response.json({ ok: false, code, message });
        },
      )
      .finally(() => {
        running -= 1;
      });
  });

  async function test(body: unknown): Promise<{ address: string; milliseconds: number }> {
    if (typeof body !== 'object' || body === null) throw new EdgeError('EDGE_SETTING', 'an empty request');
    const asked = body as TestRequest;
    const deployed = typeof asked.id === 'string' ? (RED.nodes.getNode(asked.id) as BrokerNode<BrokerCredentials> | null) : null;
    const broker = deployed?.type === 'edge-broker' ? deployed : null;
    const expand = (value: unknown) => fromEnvironment(RED, value, broker);
    const config = Object.fromEntries(Object.entries(asked).map(([name, value]) => [name, expand(value)])) as TestRequest;
    const password = asked.password === STORED ? storedPassword(broker, config) : config.password;

    const options = brokerOptions({ ...config, statusTopic: '' }, { user: config.user, password }, tlsOf(config.tls));
    const started = performance.now();
    // A client id of its own: the deployed connection must not be thrown out by a test.
    const session = await openSession({
      ...options,
      clientId: `${options.clientId.slice(0, 15)}-test`,
      connectTimeoutMs: TEST_TIMEOUT_MS,
    });
    const milliseconds = Math.round(performance.now() - started);
    await session.end();
    return { address: showBrokerAddress(options.address), milliseconds };
  }
}

function storedPassword(broker: BrokerNode<BrokerCredentials> | null, config: TestRequest): unknown {
  if (!broker)
    throw new EdgeError('EDGE_SETTING', 'the stored password is not deployed yet', { mend: 'Type it again, or deploy first' });
  const secure = typeof config.tls === 'string' && config.tls !== '';
  const target = showBrokerAddress(parseBrokerAddress(String(config.address ?? ''), secure));
  if (target !== broker.address || String(config.user ?? '') !== String(broker.credentials?.user ?? '')) {
    throw new EdgeError('EDGE_SETTING', 'the stored password is only for the deployed address and user', {
      mend: 'Type the password again',
    });
  }
  return broker.credentials.password;
}

/** `${NAME}` as Node-RED will put it in at the next deploy. */
function fromEnvironment(RED: NodeAPI, value: unknown, broker: BrokerNode<BrokerCredentials> | null): unknown {
  const name = typeof value === 'string' ? /^\$\{([^}]+)\}$/.exec(value.trim())?.[1] : undefined;
  if (name === undefined) return value;
  return RED.util.evaluateNodeProperty(name, 'env', (broker ?? {}) as BrokerNode<BrokerCredentials>, {}) ?? '';
}
