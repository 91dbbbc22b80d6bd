import type { Node } from 'node-red';
import type { ConnectionState } from '../../core/delivery/mqtt';
import type { ConnectionUse } from '../../core/delivery/shared-connection';

/** What an edge-broker gives to the nodes that publish through it. */
export interface BrokerNode<Credentials extends object = object> extends Node<Credentials> {
  /** Join the connection; the last to release it closes it. @throws what is wrong with the settings. */
  use(onState: (state: ConnectionState) => void): ConnectionUse;
  /** Where the deployed broker is, without secrets; empty while its settings are wrong. */
  address: string;
}
