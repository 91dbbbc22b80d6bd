import { access } from 'node:fs/promises';
import { connect } from 'node:net';
import { EdgeError } from '../../errors';

/** Whether a device is plugged in. @throws EDGE_DEVICE_NOT_FOUND */
export async function knockDevice(device: string): Promise<void> {
  if (!device.startsWith('/dev/')) return;
  await access(device).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'ENOENT') return;
    throw new EdgeError('EDGE_DEVICE_NOT_FOUND', device, {
      cause,
      retryAfter: SOON_MS,
      mend: 'Plug it in; "ls /dev/video*" shows which are there, in a container only those that were handed in',
    });
  });
}

/** Ports of the schemes whose servers are spoken to over TCP. */
const PORTS: Record<string, number> = { 'rtsp:': 554, 'rtsps:': 322, 'rtmp:': 1935, 'rtmps:': 443, 'http:': 80, 'https:': 443 };
const SOON_MS = 1000;

/**
 * Whether somebody listens at the address, before a program is started to find that out: asked every second or two while a camera
 * is away, it costs nothing. Says nothing of schemes without TCP.
 * @throws EDGE_SOURCE_UNREACHABLE, EDGE_SOURCE_TIMEOUT
 */
export function knock(url: URL, shown: string, timeoutMs: number, signal: AbortSignal): Promise<void> {
  const port = Number(url.port) || PORTS[url.protocol];
  if (!port || !PORTS[url.protocol] || url.hostname === '' || signal.aborted) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const socket = connect({ host: url.hostname.replace(/^\[|\]$/g, ''), port });
    const timer = setTimeout(
      () =>
        settle(new EdgeError('EDGE_SOURCE_TIMEOUT', `${shown}: no answer for ${timeoutMs / 1000} s`, { retryAfter: SOON_MS })),
      timeoutMs,
    );
    const stop = () => settle();
    const settle = (error?: EdgeError) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      socket.destroy();
      if (error) reject(error);
      else resolve();
    };
    signal.addEventListener('abort', stop);
    socket.once('connect', () => settle());
    socket.on('error', (cause: NodeJS.ErrnoException) => {
      const found = /ENOTFOUND|EAI_/.test(cause.code ?? '') ? 'its name could not be found' : (cause.code ?? cause.message);
      settle(new EdgeError('EDGE_SOURCE_UNREACHABLE', `${shown}: ${found}`, { cause, retryAfter: SOON_MS }));
    });
  });
}
