import { EdgeError } from '../errors';
import { MODEL_CODES } from './codes';

const BLOCK = 512;
/** Longest pax or GNU header that is read: only a path is wanted of it. */
const MOST_HEADER = 1 << 20;

/**
 * The bytes of one file of a tar stream (ustar with pax and GNU long names, as npm packs), nothing else is kept. Nothing is
 * written under a name from the archive, so no name in it can lead anywhere.
 * @param wanted its path below the archive's first folder, "dist/model.onnx".
 * @throws `codes.absent` when it is not there, `codes.failed` when the archive is damaged.
 */
export async function* fileInTar(
  chunks: AsyncIterable<Uint8Array>,
  wanted: string,
  archive: string,
  codes = MODEL_CODES,
): AsyncGenerator<Uint8Array> {
  const damaged = () => new EdgeError(codes.failed, `${archive} is damaged`);
  const source = new Blocks(chunks);
  let longName: string | undefined;
  let found = false;
  for (;;) {
    const header = await source.take(BLOCK);
    // Two blocks of zeros end an archive; some writers leave them out.
    if (header.byteLength === 0 || header.every((byte) => byte === 0)) break;
    if (header.byteLength < BLOCK || !hasChecksum(header)) throw damaged();
    const size = octal(header.subarray(124, 136));
    if (!Number.isSafeInteger(size) || size < 0) throw damaged();
    const type = String.fromCharCode(header[156]!);
    const padding = (BLOCK - (size % BLOCK)) % BLOCK;
    if (type === 'x' || type === 'L') {
      if (size > MOST_HEADER) throw damaged();
      const content = await source.take(size + padding);
      if (content.byteLength < size + padding) throw damaged();
      longName = type === 'L' ? text(content.subarray(0, size)) : (paxPath(content.subarray(0, size)) ?? longName);
      continue;
    }
    const isFile = type === '0' || type === '\0';
    const name = longName ?? ustarName(header);
    if (type !== 'g') longName = undefined;
    const match: boolean = isFile && !found && name.split('/').slice(1).join('/') === wanted;
    let left = size;
    while (left > 0) {
      const part = await source.some(left);
      if (part.byteLength === 0) throw damaged();
      left -= part.byteLength;
      if (match) yield part;
    }
    if ((await source.take(padding)).byteLength < padding) throw damaged();
    found ||= match;
  }
  // To the very end, so that a hash over the stream has seen every byte.
  await source.drain();
  if (!found) throw new EdgeError(codes.absent, `no file ${wanted} in ${archive}`);
}

/** Reads a stream of chunks by number of bytes. */
class Blocks {
  private readonly chunks: AsyncIterator<Uint8Array>;
  private rest: Uint8Array = new Uint8Array(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.chunks = chunks[Symbol.asyncIterator]();
  }

  /** From 1 to `most` bytes, as they come; none at the end. */
  async some(most: number): Promise<Uint8Array> {
    while (this.rest.byteLength === 0) {
      const next = await this.chunks.next();
      if (next.done) return this.rest;
      this.rest = next.value;
    }
    const part = this.rest.subarray(0, most);
    this.rest = this.rest.subarray(part.byteLength);
    return part;
  }

  /** Exactly `count` bytes; fewer only at the end. */
  async take(count: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let left = count;
    while (left > 0) {
      const part = await this.some(left);
      if (part.byteLength === 0) break;
      left -= part.byteLength;
      parts.push(part);
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }

  async drain(): Promise<void> {
    while (!(await this.chunks.next()).done);
  }
}

function ustarName(header: Uint8Array): string {
  const name = text(header.subarray(0, 100));
  const prefix = text(header.subarray(257, 262)) === 'ustar' ? text(header.subarray(345, 500)) : '';
  return prefix ? `${prefix}/${name}` : name;
}

/** The `path` record of a pax header: lines "LENGTH key=value\n". */
function paxPath(content: Uint8Array): string | undefined {
  return /(?:^|\n)\d+ path=([^\n]*)\n/.exec(Buffer.from(content).toString('utf8'))?.[1];
}

function hasChecksum(header: Uint8Array): boolean {
  const stated = octal(header.subarray(148, 156));
  let sum = 0;
  for (let at = 0; at < BLOCK; at++) sum += at >= 148 && at < 156 ? 32 : header[at]!;
  return sum === stated;
}

/** Octal digits, or base 256 where the first bit is set (files of 8 GiB and more). */
function octal(field: Uint8Array): number {
  if (field[0]! & 0x80) return field.subarray(1).reduce((value, byte) => value * 256 + byte, 0);
  const digits = text(field).trim();
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
}

function text(field: Uint8Array): string {
  const end = field.indexOf(0);
  return Buffer.from(end < 0 ? field : field.subarray(0, end)).toString('utf8');
}
