import { EdgeError } from '../../errors';
import { pixelMemory } from '../../message/memory';
import { MAX_PIXELS } from '../sharp';
import { pour, type Sink } from './direct-pipe';

/** Pixels of one picture: RGB, 8 bits, rows from the top, no gaps, in bytes that nobody else holds. */
export interface Pixmap {
  width: number;
  height: number;
  pixels: Buffer;
}

/** "P6", width, height and the largest value, each followed by one white space. */
const HEADER = /^P6\s(\d+)\s(\d+)\s255\s/;
const SHORTEST_HEADER = 11;
const LONGEST_HEADER = 40;

/**
 * Takes the pictures out of a stream of binary PPM pictures (netpbm "P6", 8 bits) laid end to end. It gives out the memory that the
 * next bytes belong into, so that nothing is copied where the stream can be read there. Memory: the picture under way.
 */
export class PixmapReader implements Sink {
  private readonly head = Buffer.alloc(LONGEST_HEADER);
  private headLength = 0;
  /** As long as the last one, so that it is read in one go and the pixels after it go straight to their place. */
  private expected = SHORTEST_HEADER;
  private under: Pixmap | undefined;
  private done = 0;
  private spare: Buffer | undefined;

  constructor(private readonly onPicture: (picture: Pixmap) => void) {}

  /** True between the first byte of a picture and its last. */
  get inside(): boolean {
    return this.under !== undefined || this.headLength > 0;
  }

  space(): Uint8Array {
    if (this.under) return this.under.pixels.subarray(this.done);
    return this.head.subarray(this.headLength, Math.max(this.expected, this.headLength + 1));
  }

  /** @throws EDGE_IMAGE_FORMAT, EDGE_IMAGE_TOO_LARGE; the stream is then of no use any more. */
  filled(length: number): void {
    if (!this.under) {
      this.headLength += length;
      this.begin();
      return;
    }
    this.done += length;
    const { under } = this;
    if (this.done < under.pixels.length) return;
    this.under = undefined;
    this.onPicture(under);
  }

  push(chunk: Uint8Array): void {
    pour(chunk, this);
  }

  /** Give back the bytes of a picture that nobody saw, for one of the same size that comes. */
  recycle({ pixels }: Pixmap): void {
    this.spare = pixels;
  }

  private begin(): void {
    const found = HEADER.exec(this.head.toString('latin1', 0, this.headLength));
    if (!found) {
      if (this.headLength >= LONGEST_HEADER) throw new EdgeError('EDGE_IMAGE_FORMAT', 'FFmpeg gave no PPM picture');
      return;
    }
    const width = Number(found[1]);
    const height = Number(found[2]);
    if (width * height > MAX_PIXELS || width * height === 0) {
      throw new EdgeError('EDGE_IMAGE_TOO_LARGE', `${width}x${height}, at most ${MAX_PIXELS / 1e6} megapixels`);
    }
    this.expected = found[0].length;
    const more = Buffer.from(this.head.subarray(this.expected, this.headLength));
    this.headLength = 0;
    this.under = { width, height, pixels: this.bytes(width * height * 3) };
    this.done = 0;
    this.push(more);
  }

  private bytes(length: number): Buffer {
    const { spare } = this;
    this.spare = undefined;
    return spare?.length === length ? spare : pixelMemory(length);
  }
}
