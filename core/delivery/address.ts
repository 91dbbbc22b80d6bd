import { EdgeError } from '../errors';

export type BrokerProtocol = 'mqtt' | 'mqtts' | 'ws' | 'wss';

/** Where a broker is, without secrets. */
export interface BrokerAddress {
  protocol: BrokerProtocol;
  host: string;
  port: number;
  /** Of a WebSocket address, "/mqtt"; empty for plain MQTT. */
  path: string;
}

const PROTOCOLS: Readonly<Record<string, BrokerProtocol>> = {
  mqtt: 'mqtt',
  tcp: 'mqtt',
  mqtts: 'mqtts',
  ssl: 'mqtts',
  tls: 'mqtts',
  ws: 'ws',
  wss: 'wss',
};
const PORTS: Readonly<Record<BrokerProtocol, number>> = { mqtt: 1883, mqtts: 8883, ws: 80, wss: 443 };

/**
 * `mqtt://host`, `mqtts://host:8883`, `wss://host/mqtt`, or just `host` or `host:port`. With `secure` a plain protocol becomes
 * its TLS twin. User names and passwords belong into the credentials, where they are encrypted, so an address may hold none.
 * @throws EDGE_BROKER_URL, which never repeats what stands before an @.
 */
export function parseBrokerAddress(text: string, secure = false): BrokerAddress {
  const trimmed = text.trim();
  if (trimmed === '') throw new EdgeError('EDGE_BROKER_URL', 'it is empty', { mend: 'Write mqtt://host or host:port' });
  let url: URL;
  try {
    // The special schemes of the URL standard check host and port as they should be; `mqtt:` would be opaque to it.
    const [, scheme, rest] = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(.*)$/is.exec(trimmed)!;
    const named = (scheme ?? 'mqtt').toLowerCase();
    if (!Object.hasOwn(PROTOCOLS, named))
      throw new Error(`the protocol ${named.slice(0, 20)} is not one of mqtt, mqtts, ws, wss`);
    // The URL standard would skip further slashes.
    if (rest!.startsWith('/')) throw new TypeError(rest);
    url = new URL(`http://${rest}`);
    if (url.username !== '' || url.password !== '') throw new Error('it holds a user name or password');
    if (url.search !== '' || url.hash !== '') throw new Error('it has a ? or # in it');
    const plain = PROTOCOLS[named]!;
    const protocol = secure && plain === 'mqtt' ? 'mqtts' : secure && plain === 'ws' ? 'wss' : plain;
    if (!protocol.startsWith('ws') && url.pathname !== '/') throw new Error('a path is only for WebSocket addresses');
    // URL leaves out port 80, the default of its stand-in scheme.
    const explicit = /:(\d+)(?:\/|$)/.exec(rest!.replace(/^\[[^\]]*\]/, ''))?.[1];
    const port = explicit === undefined ? PORTS[protocol] : Number(explicit);
    if (port < 1 || port > 65_535) throw new Error(`the port ${port} is not from 1 to 65535`);
    return {
      protocol,
      host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
      port,
      path: protocol.startsWith('ws') ? url.pathname : '',
    };
  } catch (thrown) {
    const reason = thrown instanceof TypeError ? 'host and port cannot be read' : (thrown as Error).message;
    throw new EdgeError('EDGE_BROKER_URL', reason, {
      mend: 'Write mqtt://host:1883, mqtts://host, ws://host/path or wss://host/path',
    });
  }
}

/** The address as it is shown in a status or log. */
export function showBrokerAddress({ protocol, host, port, path }: BrokerAddress): string {
  return `${protocol}://${host.includes(':') ? `[${host}]` : host}:${port}${path}`;
}
