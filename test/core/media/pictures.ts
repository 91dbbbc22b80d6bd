import sharp from 'sharp';

/** A picture whose upper left quarter is red, upper right green, lower left blue, lower right white. */
export function quarters(width: number, height: number): sharp.Sharp {
  const pixels = Buffer.alloc(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const left = x < width / 2;
      const top = y < height / 2;
      pixels.set(top ? (left ? [255, 0, 0] : [0, 255, 0]) : left ? [0, 0, 255] : [255, 255, 255], (y * width + x) * 3);
    }
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}

/** A picture that does not compress to nothing. */
export function noise(width: number, height: number): sharp.Sharp {
  const create = { width, height, channels: 3 as const, background: '#456' };
  return sharp({ create: { ...create, noise: { type: 'gaussian', mean: 128, sigma: 40 } } });
}

export function plain(width: number, height: number, background: string | object): sharp.Sharp {
  return sharp({ create: { width, height, channels: 4, background: background as string } });
}

/** The pixel of interleaved 8-bit samples. */
export function pixelAt(pixels: Uint8Array, width: number, x: number, y: number, channels = 3): number[] {
  const at = (y * width + x) * channels;
  return [...pixels.subarray(at, at + channels)];
}

/** The name of the nearest of the four colours of `quarters`. */
export function colourAt(pixels: Uint8Array, width: number, x: number, y: number): string {
  const [r, g, b] = pixelAt(pixels, width, x, y) as [number, number, number];
  const [red, green, blue] = [r > 128, g > 128, b > 128];
  if (red && green && blue) return 'white';
  if (red && !green && !blue) return 'red';
  if (green && !red && !blue) return 'green';
  if (blue && !red && !green) return 'blue';
  return `rgb(${r},${g},${b})`;
}
