import type { Node, NodeAPI, NodeDef } from 'node-red';
import { showBrokerAddress } from '../../core/delivery/address';
import type { TlsSettings } from '../../core/delivery/session';
import { SharedConnection } from '../../core/delivery/shared-connection';
import { asEdgeError, EdgeError } from '../../core/errors';
import type { BrokerNode } from '../common/broker-node';
import { figuresOf } from '../common/figures';
import { logEvent } from '../common/log';
import { serveMetrics } from '../common/metrics-route';
import { onClose } from '../common/on-input';
import { type BrokerConfig, type BrokerCredentials, brokerOptions } from './broker-settings';
import { serveConnectionTest } from './connection-test';

type TlsNode = Node & { addTLSOptions(options: TlsSettings): TlsSettings; valid: boolean };

module.exports = (RED: NodeAPI) => {
  function EdgeBroker(this: BrokerNode<BrokerCredentials>, config: NodeDef & BrokerConfig) {
    RED.nodes.createNode(this, config);
    this.address = '';
    let shared: SharedConnection | undefined;
    let wrong: EdgeError | undefined;
    try {
      const options = brokerOptions(config, this.credentials ?? {}, tlsOf(config.tls));
      this.address = showBrokerAddress(options.address);
      const connection = new SharedConnection(
        options,
        ({ phase }) => phase === 'online' && logEvent(this, 'connected', this.address),
      );
      figuresOf(this).connection = () => connection.stats();
      shared = connection;
    } catch (thrown) {
      wrong = asEdgeError(thrown, 'EDGE_SETTING');
    }
    this.use = (onState) => {
      if (!shared) throw wrong;
      return shared.use(onState);
    };
    onClose(this, () => shared?.close());
  }

  /** The options of the chosen tls-config node. @throws EDGE_BROKER_TLS when it is gone or its files cannot be read. */
  function tlsOf(id: unknown): TlsSettings | null {
    if (typeof id !== 'string' || id === '') return null;
    const node = RED.nodes.getNode(id) as TlsNode | null;
    if (!node) throw new EdgeError('EDGE_BROKER_TLS', 'the TLS settings are not there', { mend: 'Choose them anew and deploy' });
    if (!node.valid) throw new EdgeError('EDGE_BROKER_TLS', 'the certificate or key files cannot be read');
    return node.addTLSOptions({});
  }

  RED.nodes.registerType('edge-broker', EdgeBroker as never, {
    credentials: { user: { type: 'text' }, password: { type: 'password' } },
  });
  serveConnectionTest(RED, tlsOf);
  serveMetrics(RED);
};
