import { EdgeError } from '../errors';
import { MAX_PICTURE_BYTES } from './sharp';

const START_OF_PICTURE = Buffer.from([0xff, 0xd8, 0xff]);
const FIRST_CAPACITY = 256 * 1024;

/**
 * Takes JPEG pictures out of a stream of bytes: `multipart/x-mixed-replace` from a camera, with or without Content-Length and
 * whatever its boundary looks like, or pictures simply laid end to end in a file.
 *
 * It follows the markers of the JPEG itself (ITU-T T.81 B.1), since every camera ends a picture rightly and many get the headers
 * around it wrong; a thumbnail inside the Exif block does not end the picture around it. What lies between pictures is skipped.
 * Memory: the picture under way, at most `maxPictureBytes`, and one chunk.
 */
export class MjpegParser {
  private buffer = Buffer.allocUnsafe(FIRST_CAPACITY);
  private length = 0;
  /** Where the picture under way begins, and where the next byte to be looked at lies. */
  private start = 0;
  private at = 0;
  private state: 'between' | 'segments' | 'entropy' = 'between';
  /** Bytes thrown away since the last whole picture: much of it means that this is no stream of pictures. */
  skipped = 0;

  constructor(private readonly maxPictureBytes = MAX_PICTURE_BYTES) {}

  /**
   * The pictures that end in this chunk, each in bytes of its own.
   * @throws EDGE_IMAGE_TOO_LARGE when one picture passes the limit; the parser then looks for the next one.
   */
  push(chunk: Uint8Array): Buffer[] {
    this.append(chunk);
    const pictures: Buffer[] = [];
    while (this.step(pictures));
    this.compact();
    if (this.length > this.maxPictureBytes) {
      this.dropTo(this.length);
      throw new EdgeError('EDGE_IMAGE_TOO_LARGE', `a picture in the stream passes ${megabytes(this.maxPictureBytes)}`);
    }
    return pictures;
  }

  /** Go on by one marker; false when more bytes are needed. */
  private step(pictures: Buffer[]): boolean {
    if (this.state === 'between') return this.findStart();
    const marker = this.findMarker();
    if (marker === null) return false;
    if (marker === 0xd9) {
      pictures.push(Buffer.from(this.buffer.subarray(this.start, this.at + 2)));
      this.dropTo(this.at + 2);
      this.skipped = 0;
      return true;
    }
    // A new picture where this one has not ended: the sender lost its end.
    if (marker === 0xd8) {
      this.dropTo(this.at);
      return true;
    }
    if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7)) {
      this.at += 2;
      return true;
    }
    if (this.length < this.at + 4) return false;
    const size = this.buffer.readUInt16BE(this.at + 2);
    if (marker < 0xc0 || size < 2) {
      this.dropTo(this.at + 2);
      return true;
    }
    if (this.length < this.at + 2 + size) return false;
    this.at += 2 + size;
    this.state = marker === 0xda ? 'entropy' : 'segments';
    return true;
  }

  private findStart(): boolean {
    const found = this.buffer.indexOf(START_OF_PICTURE, this.start);
    // Past `length` lies what was there before.
    if (found < 0 || found + START_OF_PICTURE.length > this.length) {
      // The last two bytes may be the beginning of a start.
      this.dropTo(Math.max(this.start, this.length - 2));
      return false;
    }
    this.dropTo(found);
    this.at = this.start + 2;
    this.state = 'segments';
    return true;
  }

  /** Move to the next marker: at once among segments, past entropy-coded data after a scan header. Null: more bytes needed. */
  private findMarker(): number | null {
    for (;;) {
      if (this.state === 'entropy') {
        const next = this.buffer.indexOf(0xff, this.at);
        if (next < 0 || next >= this.length) {
          this.at = this.length;
          return null;
        }
        this.at = next;
      }
      if (this.at + 2 > this.length) return null;
      const marker = this.buffer[this.at + 1]!;
      if (this.buffer[this.at] !== 0xff) {
        this.dropTo(this.at);
        if (!this.findStart()) return null;
        continue;
      }
      if (marker === 0xff) this.at += 1;
      else if (this.state === 'entropy' && marker === 0) this.at += 2;
      else return marker;
    }
  }

  private append(chunk: Uint8Array): void {
    const needed = this.length + chunk.length;
    if (needed > this.buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, this.buffer.length * 2));
      this.buffer.copy(larger, 0, 0, this.length);
      this.buffer = larger;
    }
    this.buffer.set(chunk, this.length);
    this.length = needed;
  }

  /** Forget what lies before `end` and look for a new start from there. */
  private dropTo(end: number): void {
    this.skipped += end - this.start;
    this.start = end;
    this.at = end;
    this.state = 'between';
  }

  /** Once a chunk, so that a hostile stream of starts costs no more than an honest one. */
  private compact(): void {
    const rest = this.length - this.start;
    if (this.buffer.length > FIRST_CAPACITY * 4 && rest < FIRST_CAPACITY) {
      const smaller = Buffer.allocUnsafe(FIRST_CAPACITY);
      this.buffer.copy(smaller, 0, this.start, this.length);
      this.buffer = smaller;
    } else if (this.start > 0) {
      this.buffer.copyWithin(0, this.start, this.length);
    }
    this.at -= this.start;
    this.length = rest;
    this.start = 0;
  }
}

/** The pictures of a stream, read only as fast as they are asked for. */
export async function* picturesOf(stream: AsyncIterable<Uint8Array>, maxPictureBytes?: number): AsyncGenerator<Buffer> {
  const parser = new MjpegParser(maxPictureBytes);
  for await (const chunk of stream) yield* parser.push(chunk);
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MB`;
}
