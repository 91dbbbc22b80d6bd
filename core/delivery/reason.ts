import { EdgeError, type ErrorCode } from '../errors';

/** Why a broker is not there, in the words of whoever has to mend it; made from what Node, TLS and MQTT report. */
export function connectionError(thrown: unknown, address: string): EdgeError {
  if (thrown instanceof EdgeError) return thrown;
  const error = (thrown instanceof AggregateError ? (thrown.errors[0] ?? thrown) : thrown) as {
    code?: unknown;
    message?: unknown;
  };
  const { code } = error;
  const message = typeof error.message === 'string' && error.message !== '' ? error.message : String(code ?? thrown);
  const is = (edge: ErrorCode, found: string, mend?: string) =>
    new EdgeError(edge, `${address}: ${found}`, { cause: thrown, ...(mend !== undefined && { mend }) });

  if (typeof code === 'number') return refusal(code, is);
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN' || code === 'ENODATA')
    return is('EDGE_BROKER_NAME', 'no such name', 'Check the spelling and the name server, or use the IP address');
  if (code === 'ECONNREFUSED')
    return is(
      'EDGE_BROKER_UNREACHABLE',
      'the port is closed',
      'Check the port, and that the broker runs and listens on this network',
    );
  if (code === 'EHOSTUNREACH' || code === 'ENETUNREACH' || code === 'EADDRNOTAVAIL')
    return is('EDGE_BROKER_UNREACHABLE', 'no way to that machine', 'Check the network');
  if (code === 'ETIMEDOUT' || message === 'connack timeout')
    return is('EDGE_BROKER_UNREACHABLE', 'no answer in time', 'Check the address, the port, and whether the port wants TLS');
  if (code === 'ECONNRESET' || code === 'EPIPE')
    return is('EDGE_BROKER_UNREACHABLE', 'the connection was cut', 'Check whether the port wants TLS');
  if (isTls(code, message)) return is('EDGE_BROKER_TLS', message, tlsMend(code, message));
  const upgrade = /Unexpected server response: (\d+)/.exec(message);
  if (upgrade) {
    if (upgrade[1] === '401' || upgrade[1] === '403') return is('EDGE_BROKER_CREDENTIALS', `HTTP ${upgrade[1]}`);
    return is('EDGE_BROKER_PROTOCOL', `HTTP ${upgrade[1]} where a WebSocket was asked for`, 'Check the path of the address');
  }
  if (message === 'Keepalive timeout') return is('EDGE_BROKER_UNREACHABLE', 'the broker went silent');
  return is('EDGE_BROKER_PROTOCOL', message);
}

/** Return codes of CONNACK (3.1.1, section 3.2.2.3) and reason codes of CONNACK and DISCONNECT (5.0, section 2.4). */
function refusal(code: number, is: (edge: ErrorCode, found: string, mend?: string) => EdgeError): EdgeError {
  switch (code) {
    case 4:
    case 134:
      return is('EDGE_BROKER_CREDENTIALS', 'wrong user name or password');
    case 5:
    case 135:
      return is('EDGE_BROKER_CREDENTIALS', 'not authorised', 'Check user name, password and what the broker allows this client');
    case 1:
    case 132:
      return is('EDGE_BROKER_REFUSED', 'the broker does not speak this version of MQTT', 'Choose the other protocol version');
    case 2:
    case 133:
      return is('EDGE_BROKER_REFUSED', 'the broker does not take this client id', 'Choose another client id');
    case 138:
      return is('EDGE_BROKER_REFUSED', 'this client is banned');
    case 142:
      return is('EDGE_BROKER_REFUSED', 'another client uses the same client id', 'Give every client its own');
    case 3:
    case 136:
    case 137:
      return is('EDGE_BROKER_REFUSED', 'the broker is busy or shutting down');
    case 139:
      return is('EDGE_BROKER_UNREACHABLE', 'the broker shuts down');
    default:
      return is('EDGE_BROKER_REFUSED', `reason ${code}`);
  }
}

function isTls(code: unknown, message: string): boolean {
  if (
    typeof code === 'string' &&
    /^(ERR_TLS|ERR_SSL|ERR_OSSL|CERT_|UNABLE_TO|DEPTH_ZERO|SELF_SIGNED|EPROTO|ERR_INVALID_ARG)/.test(code)
  )
    return true;
  return /\b(ssl|tls|certificate|PEM|self-signed)\b/i.test(message);
}

function tlsMend(code: unknown, message: string): string {
  if (/WRONG_VERSION_NUMBER|wrong version number|packet length too long/i.test(`${String(code)} ${message}`))
    return 'The port speaks plain MQTT: use mqtt:// or another port';
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID')
    return "Renew the broker's certificate, or set this machine's clock";
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return 'The certificate names another host: use that name in the address, or set the server name';
  if (/alert|handshake failure/i.test(message)) return 'The broker may want a client certificate';
  return "Choose the certificate authority that signed the broker's certificate";
}
