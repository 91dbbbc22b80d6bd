/** Pixels of a binary picture that hang together, sides inclusive. */
export interface Blob {
  left: number;
  top: number;
  right: number;
  bottom: number;
  pixels: number;
}

/**
 * Morphological cleaning: a pixel stays or appears where most of the nine around it are set (a median), which removes specks and
 * closes pinholes; then what is left grows by one pixel, so that the parts of one thing meet. The outermost pixels are cleared.
 *
 * @param binary 0 or 1; overwritten.
 * @param scratch of the same length.
 */
export function cleanBinary(binary: Uint8Array, scratch: Uint8Array, width: number, height: number): void {
  scratch.fill(0);
  for (let y = 1; y < height - 1; y++) {
    const row = y * width;
    // Sums of three columns, carried along the row.
    let before = columnSum(binary, row, width);
    let here = columnSum(binary, row + 1, width);
    for (let x = 1; x < width - 1; x++) {
      const after = columnSum(binary, row + x + 1, width);
      scratch[row + x] = before + here + after >= 5 ? 1 : 0;
      before = here;
      here = after;
    }
  }
  binary.fill(0);
  for (let y = 1; y < height - 1; y++) {
    for (let at = y * width + 1, end = (y + 1) * width - 1; at < end; at++) {
      if (!scratch[at]) continue;
      binary[at - width] = 1;
      binary[at - 1] = 1;
      binary[at] = 1;
      binary[at + 1] = 1;
      binary[at + width] = 1;
    }
  }
}

/**
 * The connected parts (eight neighbours) of a binary picture, largest first.
 *
 * @param binary 0 or 1; cleared on the way.
 * @param scratch of the same length or longer, for the pixels still to be visited.
 * @param leastPixels smaller parts are left out.
 * @param most so many at most.
 */
export function findBlobs(
  binary: Uint8Array,
  scratch: Uint32Array,
  size: { width: number; height: number },
  leastPixels: number,
  most: number,
): Blob[] {
  const { width, height } = size;
  const blobs: Blob[] = [];
  for (let start = 0; start < width * height; start++) {
    if (!binary[start]) continue;
    const blob: Blob = { left: width, top: height, right: 0, bottom: 0, pixels: 0 };
    let waiting = 0;
    scratch[waiting++] = start;
    binary[start] = 0;
    while (waiting > 0) {
      const at = scratch[--waiting]!;
      const x = at % width;
      const y = (at - x) / width;
      blob.pixels += 1;
      if (x < blob.left) blob.left = x;
      if (x > blob.right) blob.right = x;
      if (y < blob.top) blob.top = y;
      if (y > blob.bottom) blob.bottom = y;
      for (let nextY = Math.max(0, y - 1); nextY <= Math.min(height - 1, y + 1); nextY++) {
        for (let nextX = Math.max(0, x - 1); nextX <= Math.min(width - 1, x + 1); nextX++) {
          const next = nextY * width + nextX;
          if (!binary[next]) continue;
          // Cleared when it is put on the list, so that each pixel is on it once at most.
          binary[next] = 0;
          scratch[waiting++] = next;
        }
      }
    }
    if (blob.pixels >= leastPixels) blobs.push(blob);
  }
  return blobs.sort((a, b) => b.pixels - a.pixels).slice(0, most);
}

function columnSum(binary: Uint8Array, at: number, width: number): number {
  return binary[at - width]! + binary[at]! + binary[at + width]!;
}
