/** One message on its way to a broker, ready to be written: nothing in it depends on the flow any more. */
export interface OutgoingMessage {
  topic: string;
  payload: Buffer;
  qos: 0 | 1 | 2;
  retain: boolean;
  /** Properties of MQTT 5; a 3.1.1 connection leaves them out. */
  contentType?: string;
  /** Seconds after which a broker need not deliver it any more. */
  expirySeconds?: number;
  userProperties?: Readonly<Record<string, string>>;
}

/**
 * Where a message goes when it leaves the flow. `publish` fulfils when its promise is kept: for a connection that is the
 * broker's acknowledgement (for QoS 0, that the bytes were handed to the operating system); for an outbox, that the message is
 * durable on this machine.
 */
export interface Outlet {
  /** @throws EdgeError: EDGE_BROKER_OFFLINE, EDGE_PUBLISH_TIMEOUT, EDGE_PUBLISH_FAILED, EDGE_QUEUE_FULL. */
  publish(message: OutgoingMessage): Promise<void>;
}
