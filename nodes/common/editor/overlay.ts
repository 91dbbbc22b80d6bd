/** What is laid over pictures, in the preview and in dialogs alike. */

/** Class numbers as runs (class, length, class, length, ...) of a grid over the whole picture. */
export interface Mask {
  width: number;
  height: number;
  runs: number[];
}

/** Colours that stay apart on bright and dark pictures; a label keeps its own. */
const COLOURS = ['#35d0ba', '#ffb000', '#ff6f61', '#7aa6ff', '#d58cff', '#9be15d', '#ff8fc7', '#f5f06b'];
/** Of a mask, so that the picture stays to be seen, 0 to 255. */
const OPACITY = 115;

export function colourOf(label: string): string {
  return COLOURS[hash(label) % COLOURS.length]!;
}

/** The mask as a picture of one pixel a cell: the classes that have a label in its colour, all others clear. */
export function maskCanvas(mask: Mask, labels: Readonly<Record<number, string>>): HTMLCanvasElement | null {
  const canvas = document.createElement('canvas');
  canvas.width = mask.width;
  canvas.height = mask.height;
  const context = canvas.getContext('2d');
  if (!context) return null;
  const pixels = context.createImageData(mask.width, mask.height);
  const words = new Uint32Array(pixels.data.buffer);
  for (let at = 0, from = 0; at + 1 < mask.runs.length; at += 2) {
    const label = labels[mask.runs[at]!];
    const end = from + mask.runs[at + 1]!;
    if (label !== undefined) words.fill(word(colourOf(label)), from, end);
    from = end;
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}

export function maskUrl(mask: Mask, labels: Readonly<Record<number, string>>): string | null {
  return maskCanvas(mask, labels)?.toDataURL() ?? null;
}

/** A pixel of "#rrggbb" as bytes R, G, B, A in the order of this machine. */
function word(colour: string): number {
  const value = Number.parseInt(colour.slice(1), 16);
  return new Uint32Array(Uint8Array.of(value >> 16, (value >> 8) & 255, value & 255, OPACITY).buffer)[0]!;
}

function hash(text: string): number {
  let value = 0;
  for (let index = 0; index < text.length; index += 1) value = (value * 31 + text.charCodeAt(index)) >>> 0;
  return value;
}
