import { EdgeError } from '../../errors';
import { pixelMemory } from '../../message/memory';
import { MAX_PIXELS } from '../sharp';

/** Pixels of one picture: RGB, 8 bits, rows from the top, no gaps, in bytes that nobody else holds. */
export interface Pixmap {
  width: number;
  height: number;
  pixels: Buffer;
}

/** "P6", width, height and the largest value, each followed by one white space. */
const HEADER = /^P6\s(\d+)\s(\d+)\s255\s/;
const LONGEST_HEADER = 40;

/**
 * Takes the pictures out of a stream of binary PPM pictures (netpbm "P6", 8 bits) laid end to end. Each byte is copied once, into
 * the picture it belongs to. Memory: the picture under way.
 */
export class PixmapReader {
  private head = Buffer.alloc(0);
  private under: Pixmap | undefined;
  private filled = 0;
  private spare: Buffer | undefined;

  /** True between the first byte of a picture and its last. */
  get inside(): boolean {
    return this.under !== undefined || this.head.length > 0;
  }

  /** The pictures that end in this chunk. @throws EDGE_IMAGE_FORMAT, EDGE_IMAGE_TOO_LARGE; the stream is then of no use any more. */
  push(chunk: Buffer): Pixmap[] {
    const pictures: Pixmap[] = [];
    let at = 0;
    while (at < chunk.length) {
      if (!this.under) {
        at += this.begin(chunk.subarray(at));
        continue;
      }
      const { pixels } = this.under;
      const copied = chunk.copy(pixels, this.filled, at);
      at += copied;
      this.filled += copied;
      if (this.filled === pixels.length) {
        pictures.push(this.under);
        this.under = undefined;
      }
    }
    return pictures;
  }

  /** Give back the bytes of a picture that nobody saw, for one of the same size that comes. */
  recycle({ pixels }: Pixmap): void {
    this.spare = pixels;
  }

  /** Read a header, or as much of it as is here; how many bytes of the chunk it took. */
  private begin(chunk: Buffer): number {
    const before = this.head.length;
    this.head = Buffer.concat([this.head, chunk.subarray(0, LONGEST_HEADER - before)]);
    const found = HEADER.exec(this.head.toString('latin1'));
    if (!found) {
      if (this.head.length >= LONGEST_HEADER) throw new EdgeError('EDGE_IMAGE_FORMAT', 'FFmpeg gave no PPM picture');
      return this.head.length - before;
    }
    const width = Number(found[1]);
    const height = Number(found[2]);
    if (width * height > MAX_PIXELS) {
      throw new EdgeError('EDGE_IMAGE_TOO_LARGE', `${width}x${height}, at most ${MAX_PIXELS / 1e6} megapixels`);
    }
    this.head = Buffer.alloc(0);
    this.under = { width, height, pixels: this.bytes(width * height * 3) };
    this.filled = 0;
    return found[0].length - before;
  }

  private bytes(length: number): Buffer {
    const { spare } = this;
    this.spare = undefined;
    return spare?.length === length ? spare : pixelMemory(length);
  }
}
