import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where the bytes of a pipe go. */
export interface Sink {
  /** Memory for what comes next, at least one byte. */
  space(): Uint8Array;
  /** So many bytes are in the memory that `space` gave last. */
  filled(length: number): void;
}

export interface DirectPipe {
  /** For a child's standard output; to be destroyed once the child has it. */
  writeEnd: Socket;
  /** Reads into the sink all the time; `close` tells that nothing more comes. */
  readEnd: Socket;
}

/**
 * A pipe that is read into memory of our own. A child's `stdout` gives a new buffer of 64 KiB for each read, 15 for a picture of
 * 640x480: as much garbage as the picture itself, which V8 counts and collects its whole heap for, and a copy of every byte.
 *
 * A socket in a folder that nobody else may enter, gone before this returns. Undefined where that cannot be: Windows, a temporary
 * folder that is not writable or whose path is too long.
 */
export async function openDirectPipe(sink: Sink): Promise<DirectPipe | undefined> {
  if (process.platform === 'win32') return undefined;
  let folder: string | undefined;
  const server = createServer({ pauseOnConnect: true });
  try {
    folder = await mkdtemp(join(tmpdir(), 'edgeloom-'));
    const path = join(folder, 's');
    const accepted = new Promise<Socket>((resolve, reject) => server.once('connection', resolve).once('error', reject));
    // Observed in any case: listening may fail while nobody waits for it yet.
    accepted.catch(() => {});
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
    const readEnd = connect({
      path,
      onread: {
        buffer: () => sink.space(),
        callback: (length) => {
          sink.filled(length);
          return true;
        },
      },
    });
    readEnd.on('error', () => {});
    const connected = new Promise<void>((resolve, reject) => readEnd.once('connect', resolve).once('error', reject));
    const [writeEnd] = await Promise.all([accepted, connected]);
    writeEnd.on('error', () => {});
    return { writeEnd, readEnd };
  } catch {
    return undefined;
  } finally {
    server.close();
    if (folder) await rm(folder, { recursive: true, force: true });
  }
}

/** Bytes that were read elsewhere, copied to where they belong. */
export function pour(chunk: Uint8Array, sink: Sink): void {
  for (let at = 0; at < chunk.length; ) {
    const space = sink.space();
    const length = Math.min(space.length, chunk.length - at);
    space.set(chunk.subarray(at, at + length));
    at += length;
    sink.filled(length);
  }
}
