import type { Box } from '../../message/results';

/** Standard deviations as shares of the box's height, and per second, so that a filter does not depend on the frame rate. */
export interface MotionNoise {
  /** Of a measured centre. */
  centre: number;
  /** Of a measured width or height. */
  size: number;
  /** By which a velocity changes within a second, per second. */
  velocity: number;
  /** Of the velocity of a box that was seen once, per second. */
  firstVelocity: number;
}

/**
 * Measured on the first 200 frames of PETS09-S2L1: two small detectors (YOLOX-nano, int8 COCO-SSD) place a centre within 0.04 to 0.06
 * of a height (the 1/20 of Wojke et al. 2017) and a size within 0.06 to 0.09; walkers change their velocity by 0.18 heights per
 * second within a second. 0.35 leaves room for what turns or brakes harder. The papers' h/160 a frame at 30 Hz is 1.03, with a
 * wandering position beside it: so loose a filter follows the detector's jitter and swaps people who cross.
 */
export const MOTION_NOISE: Readonly<MotionNoise> = { centre: 0.05, size: 0.08, velocity: 0.35, firstVelocity: 2 };

/** One coordinate: value, velocity, and their covariance [[value, mixed], [mixed, velocity]]. */
interface Coordinate {
  value: number;
  velocity: number;
  valueVariance: number;
  mixed: number;
  velocityVariance: number;
}

/**
 * A box in motion: the Kalman filter of SORT (Bewley et al. 2016) with constant velocity over the box's centre, width and height
 * (the state of BoT-SORT, Aharon et al. 2022; with an aspect ratio in place of the width, as DeepSORT has it, a person who turns
 * is followed less well). All noise is diagonal, so the filter of eight dimensions falls apart, exactly, into four of two.
 *
 * Over `t` seconds, each coordinate p with velocity v:
 *
 *     p <- p + t v,  v <- v
 *     P <- F P F' + Q,  F = [1 t; 0 1],  Q = velocity² [t³/3 t²/2; t²/2 t]
 *
 * (white-noise acceleration in its exact form; Bar-Shalom, Li, Kirubarajan 2001, section 6.2.2), and on a measurement z:
 *
 *     K = P H' / (P11 + measurement²),  (p, v) <- (p, v) + K (z - p),  P <- (I - K H) P
 */
export class BoxFilter {
  private readonly x: Coordinate;
  private readonly y: Coordinate;
  private readonly w: Coordinate;
  private readonly h: Coordinate;

  constructor(
    box: Box,
    private readonly noise: Readonly<MotionNoise> = MOTION_NOISE,
  ) {
    const { centre, size, firstVelocity } = noise;
    const first = (value: number, deviation: number): Coordinate => ({
      value,
      velocity: 0,
      valueVariance: (2 * deviation * box.height) ** 2,
      mixed: 0,
      velocityVariance: (firstVelocity * box.height) ** 2,
    });
    this.x = first(box.x + box.width / 2, centre);
    this.y = first(box.y + box.height / 2, centre);
    this.w = first(box.width, size);
    this.h = first(box.height, size);
  }

  /** The estimate; width and height are at least one pixel. */
  get box(): Box {
    const width = Math.max(1, this.w.value);
    const height = Math.max(1, this.h.value);
    return { x: this.x.value - width / 2, y: this.y.value - height / 2, width, height };
  }

  /** Of the centre, pixels per second. */
  get velocity(): { x: number; y: number } {
    return { x: this.x.velocity, y: this.y.velocity };
  }

  /** @param holdSize true for a box that nobody sees: its size stays, lest it grow or shrink away (as ByteTrack does). */
  predict(seconds: number, holdSize = false): void {
    if (holdSize) {
      this.w.velocity = 0;
      this.h.velocity = 0;
    }
    const height = Math.max(1, this.h.value);
    const intensity = (this.noise.velocity * height) ** 2;
    for (const coordinate of [this.x, this.y, this.w, this.h]) advance(coordinate, seconds, intensity);
  }

  /** @param doubt by which the noise of this measurement is greater than usual. */
  correct(box: Box, doubt = 1): void {
    const height = Math.max(1, this.h.value);
    const centre = (this.noise.centre * doubt * height) ** 2;
    const size = (this.noise.size * doubt * height) ** 2;
    measure(this.x, box.x + box.width / 2, centre);
    measure(this.y, box.y + box.height / 2, centre);
    measure(this.w, box.width, size);
    measure(this.h, box.height, size);
  }
}

function advance(at: Coordinate, t: number, intensity: number): void {
  at.value += t * at.velocity;
  at.valueVariance += t * (2 * at.mixed + t * at.velocityVariance) + (intensity * t ** 3) / 3;
  at.mixed += t * at.velocityVariance + (intensity * t ** 2) / 2;
  at.velocityVariance += intensity * t;
}

function measure(at: Coordinate, value: number, variance: number): void {
  const total = at.valueVariance + variance;
  const gain = at.valueVariance / total;
  const velocityGain = at.mixed / total;
  const surprise = value - at.value;
  at.value += gain * surprise;
  at.velocity += velocityGain * surprise;
  at.velocityVariance -= velocityGain * at.mixed;
  at.mixed *= 1 - gain;
  at.valueVariance *= 1 - gain;
}
