import { generateKeyPairSync, sign } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, globalAgent, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';

/** A real https server on a free port of localhost; its self-made certificate is trusted by this process until it is closed. */
export async function startSecureServer(handle: (request: IncomingMessage, response: ServerResponse) => void) {
  const { key, cert } = selfSigned();
  const server = createServer({ key, cert } satisfies ServerOptions, handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const before = globalAgent.options.ca;
  globalAgent.options.ca = cert;
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://localhost:${port}`,
    async close(): Promise<void> {
      if (before === undefined) delete globalAgent.options.ca;
      else globalAgent.options.ca = before;
      globalAgent.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** An X.509 certificate for localhost (RFC 5280), written out in DER: Node can read certificates and not make them. */
function selfSigned(): { key: string; cert: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = sequence(identifier('2a8648ce3d040302')); // ecdsa-with-SHA256
  const name = sequence(tlv(0x31, sequence(identifier('550403'), tlv(0x0c, Buffer.from('localhost')))));
  const time = (date: Date) => tlv(0x17, Buffer.from(`${date.toISOString().replace(/[-:T]/g, '').slice(2, 14)}Z`));
  const day = 24 * 3600 * 1000;
  const alternativeNames = sequence(tlv(0x82, Buffer.from('localhost')));
  const extensions = sequence(
    sequence(identifier('551d11'), tlv(0x04, alternativeNames)),
    sequence(identifier('551d13'), tlv(0x04, sequence(tlv(0x01, Buffer.from([0xff]))))),
  );
  const toBeSigned = sequence(
    tlv(0xa0, tlv(0x02, Buffer.from([2]))),
    tlv(0x02, Buffer.from([1])),
    algorithm,
    name,
    sequence(time(new Date(Date.now() - day)), time(new Date(Date.now() + day))),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    tlv(0xa3, extensions),
  );
  const signature = Buffer.concat([Buffer.from([0]), sign('sha256', toBeSigned, privateKey)]);
  const certificate = sequence(toBeSigned, algorithm, tlv(0x03, signature));
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${certificate.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`,
  };
}

function sequence(...parts: Uint8Array[]): Buffer {
  return tlv(0x30, Buffer.concat(parts));
}

function identifier(hex: string): Buffer {
  return tlv(0x06, Buffer.from(hex, 'hex'));
}

function tlv(tag: number, value: Uint8Array): Buffer {
  const length = value.length;
  const head = length < 128 ? [tag, length] : length < 256 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), value]);
}
