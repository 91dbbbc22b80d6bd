import type { FrameEncoding } from '../message/frame';

/** What the first bytes of a compressed picture say of it. */
export interface ImageHeader {
  encoding: FrameEncoding;
  /** Pixels as stored, before orientation; 0 where the header is not one this reader looks into, or is damaged. */
  width: number;
  height: number;
  /** EXIF orientation 1 to 8, or 0 where this reader does not know it: then the decoder has to be asked. */
  orientation: number;
}

/**
 * Reads size and orientation of a JPEG from its markers (ITU-T T.81 B.2, Exif 2.32) in microseconds, so that the pixels are
 * opened only once; of other formats the kind and, for PNG and GIF, the size. Never throws, never reads past the end.
 * Null when the bytes do not begin like a picture.
 */
export function readImageHeader(bytes: Uint8Array): ImageHeader | null {
  const encoding = encodingOf(bytes);
  if (encoding === null) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (encoding === 'jpeg') return { encoding, ...readJpeg(view) };
  if (encoding === 'png' && view.byteLength >= 24) {
    return { encoding, width: view.getUint32(16), height: view.getUint32(20), orientation: 0 };
  }
  if (encoding === 'gif' && view.byteLength >= 10) {
    return { encoding, width: view.getUint16(6, true), height: view.getUint16(8, true), orientation: 1 };
  }
  return { encoding, width: 0, height: 0, orientation: 0 };
}

/** True for the EXIF orientations that turn the picture by a quarter. */
export function turnsSides(orientation: number): boolean {
  return orientation >= 5 && orientation <= 8;
}

function encodingOf(bytes: Uint8Array): FrameEncoding | null {
  if (bytes.length < 12) return null;
  const text = (start: number, end: number) => String.fromCharCode(...bytes.subarray(start, end));
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return 'jpeg';
  if (bytes[0] === 0x89 && text(1, 8) === 'PNG\r\n\x1a\n') return 'png';
  if (text(0, 4) === 'RIFF' && text(8, 12) === 'WEBP') return 'webp';
  if (text(0, 6) === 'GIF87a' || text(0, 6) === 'GIF89a') return 'gif';
  if (text(0, 4) === 'II*\0' || text(0, 4) === 'MM\0*') return 'tiff';
  if (text(4, 8) === 'ftyp' && /^(avif|avis|mif1|miaf)$/.test(text(8, 12))) return 'avif';
  return null;
}

function readJpeg(view: DataView): { width: number; height: number; orientation: number } {
  let orientation = 1;
  let at = 2;
  while (at + 4 <= view.byteLength) {
    if (view.getUint8(at) !== 0xff) break;
    const marker = view.getUint8(at + 1);
    // Fill bytes and markers without a body.
    if (marker === 0xff) {
      at += 1;
      continue;
    }
    if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7)) {
      at += 2;
      continue;
    }
    const length = view.getUint16(at + 2);
    if (length < 2) break;
    if (isFrameStart(marker)) {
      if (at + 9 > view.byteLength) break;
      return { width: view.getUint16(at + 7), height: view.getUint16(at + 5), orientation };
    }
    if (marker === 0xe1)
      orientation = readExifOrientation(view, at + 4, Math.min(at + 2 + length, view.byteLength)) ?? orientation;
    // Start of scan or end of image before any frame: damaged.
    if (marker === 0xda || marker === 0xd9) break;
    at += 2 + length;
  }
  return { width: 0, height: 0, orientation: 0 };
}

/** SOF0 to SOF15 without DHT (C4), JPG (C8) and DAC (CC). */
function isFrameStart(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

/** Tag 0x0112 of IFD0 in an APP1 segment from `start` to `end`; null where it is not an Exif segment. */
function readExifOrientation(view: DataView, start: number, end: number): number | null {
  const tiff = start + 6;
  if (tiff + 8 > end || view.getUint32(start) !== 0x45786966 || view.getUint16(start + 4) !== 0) return null;
  const littleEndian = view.getUint16(tiff) === 0x4949;
  const directory = tiff + view.getUint32(tiff + 4, littleEndian);
  if (directory + 2 > end) return 1;
  const entries = view.getUint16(directory, littleEndian);
  for (let index = 0; index < entries; index++) {
    const entry = directory + 2 + index * 12;
    if (entry + 12 > end) break;
    if (view.getUint16(entry, littleEndian) !== 0x0112) continue;
    const value = view.getUint16(entry + 8, littleEndian);
    return value >= 1 && value <= 8 ? value : 1;
  }
  return 1;
}
