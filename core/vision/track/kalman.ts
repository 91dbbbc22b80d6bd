import type { Box } from '../../message/results';

/** Standard deviations as shares of the box's height, and per second, so that a filter does not depend on the frame rate. */
export interface MotionNoise {
  /** Of a measured edge. */
  measurement: number;
  /** By which a box wanders within a second beside its steady motion. */
  position: number;
  /** By which its velocity changes within a second, per second. */
  velocity: number;
  /** Of the velocity of a box that was seen once, per second. */
  firstVelocity: number;
}

/**
 * The noise of Wojke et al. 2017 (DeepSORT) and Zhang et al. 2022 (ByteTrack): h/20 for a position, h/160 a frame for a velocity.
 * They are per frame of a 30 Hz video; here per second: sqrt(30)/20 and 30 sqrt(30)/160.
 */
export const MOTION_NOISE: Readonly<MotionNoise> = {
  measurement: 0.05,
  position: Math.sqrt(30) / 20,
  velocity: (30 * Math.sqrt(30)) / 160,
  firstVelocity: 300 / 160,
};

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
 *     P <- F P F' + Q,  F = [1 t; 0 1],  Q = velocity² [t³/3 t²/2; t²/2 t] + position² [t 0; 0 0]
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
    const value = (2 * noise.measurement * box.height) ** 2;
    const velocity = (noise.firstVelocity * box.height) ** 2;
    const first = (at: number): Coordinate => ({
      value: at,
      velocity: 0,
      valueVariance: value,
      mixed: 0,
      velocityVariance: velocity,
    });
    this.x = first(box.x + box.width / 2);
    this.y = first(box.y + box.height / 2);
    this.w = first(box.width);
    this.h = first(box.height);
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
    const position = (this.noise.position * height) ** 2;
    const velocity = (this.noise.velocity * height) ** 2;
    for (const coordinate of [this.x, this.y, this.w, this.h]) advance(coordinate, seconds, position, velocity);
  }

  correct(box: Box): void {
    const variance = (this.noise.measurement * Math.max(1, this.h.value)) ** 2;
    measure(this.x, box.x + box.width / 2, variance);
    measure(this.y, box.y + box.height / 2, variance);
    measure(this.w, box.width, variance);
    measure(this.h, box.height, variance);
  }
}

function advance(at: Coordinate, t: number, position: number, velocity: number): void {
  at.value += t * at.velocity;
  at.valueVariance += t * (2 * at.mixed + t * at.velocityVariance) + position * t + (velocity * t ** 3) / 3;
  at.mixed += t * at.velocityVariance + (velocity * t ** 2) / 2;
  at.velocityVariance += velocity * t;
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
