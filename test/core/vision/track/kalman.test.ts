import type { Box } from '../../../../core/message/results';
import { BoxFilter, MOTION_NOISE } from '../../../../core/vision/track/kalman';

const boxAt = (x: number, y = 100, width = 40, height = 100): Box => ({ x, y, width, height });

describe('the motion of a box', () => {
  it('is the Kalman filter of eight dimensions, computed with whole matrices', () => {
    const filter = new BoxFilter(boxAt(10));
    const whole = new WholeFilter(boxAt(10));
    const steps: [number, Box][] = [
      [0.1, boxAt(14, 101)],
      [0.05, boxAt(17, 103, 44, 104)],
      [0.4, boxAt(30, 99, 38, 96)],
      [1.3, boxAt(80, 90, 35, 90)],
    ];
    for (const [seconds, box] of steps) {
      filter.predict(seconds);
      whole.predict(seconds);
      expectClose(filter.box, whole.box);
      filter.correct(box);
      whole.correct(box);
      expectClose(filter.box, whole.box);
      expect(filter.velocity.x).toBeCloseTo(whole.velocity.x, 6);
      expect(filter.velocity.y).toBeCloseTo(whole.velocity.y, 6);
    }
  });

  it('learns a steady velocity in pixels per second, whatever the frame rate', () => {
    for (const rate of [3, 10, 30]) {
      const filter = new BoxFilter(boxAt(0));
      for (let frame = 1; frame <= 3 * rate; frame++) {
        filter.predict(1 / rate);
        filter.correct(boxAt((60 * frame) / rate));
      }
      expect(filter.velocity.x).toBeCloseTo(60, 0);
      expect(filter.velocity.y).toBeCloseTo(0, 6);
      filter.predict(2);
      expect(filter.box.x).toBeCloseTo(60 * 3 + 120, -1);
    }
  });

  it('comes to the same estimate over one long gap as over many short ones', () => {
    const [long, short] = [new BoxFilter(boxAt(0)), new BoxFilter(boxAt(0))];
    for (const filter of [long, short]) {
      filter.predict(0.1);
      filter.correct(boxAt(6));
    }
    long.predict(1);
    for (let step = 0; step < 10; step++) short.predict(0.1);
    expectClose(short.box, long.box);
    for (const filter of [long, short]) filter.correct(boxAt(70));
    expectClose(short.box, long.box);
  });

  it('smooths the jitter of a box that stands still', () => {
    const filter = new BoxFilter(boxAt(100));
    let wander = 0;
    for (let frame = 1; frame <= 100; frame++) {
      filter.predict(0.1);
      filter.correct(boxAt(100 + (frame % 2 ? 4 : -4)));
      if (frame > 20) wander = Math.max(wander, Math.abs(filter.box.x - 100));
    }
    expect(wander).toBeLessThan(3);
  });

  it('is turned less by a box that is doubted', () => {
    const velocityAfter = (doubt: number) => {
      const filter = new BoxFilter(boxAt(0));
      for (let frame = 1; frame <= 20; frame++) {
        filter.predict(0.1);
        filter.correct(boxAt(6 * frame));
      }
      filter.predict(0.1);
      filter.correct(boxAt(100), doubt);
      return filter.velocity.x;
    };
    expect(60 - velocityAfter(5)).toBeLessThan((60 - velocityAfter(1)) / 4);
  });

  it('holds the size of a box that nobody sees', () => {
    const filter = new BoxFilter(boxAt(0));
    for (let frame = 1; frame <= 10; frame++) {
      filter.predict(0.1);
      filter.correct(boxAt(0, 100, 40 - 3 * frame, 100 - 8 * frame));
    }
    const { width, height } = filter.box;
    filter.predict(5, true);
    expect(filter.box.width).toBeCloseTo(width, 6);
    expect(filter.box.height).toBeCloseTo(height, 6);
  });

  it('never gives a box without an area', () => {
    const filter = new BoxFilter(boxAt(0, 0, 4, 4));
    for (let frame = 1; frame <= 3; frame++) {
      filter.predict(0.1);
      filter.correct(boxAt(0, 0, 4 - frame, 4 - frame));
    }
    filter.predict(60);
    expect(filter.box.width).toBeGreaterThanOrEqual(1);
    expect(filter.box.height).toBeGreaterThanOrEqual(1);
  });
});

function expectClose(a: Box, b: Box): void {
  for (const side of ['x', 'y', 'width', 'height'] as const) expect(a[side]).toBeCloseTo(b[side], 6);
}

type Matrix = number[][];

/** The textbook's filter: x, y, w, h and their velocities, matrices and all. */
class WholeFilter {
  private mean: Matrix;
  private covariance: Matrix;

  constructor(box: Box) {
    const { centre, size, firstVelocity } = MOTION_NOISE;
    this.mean = [...centred(box), 0, 0, 0, 0].map((value) => [value]);
    const value = [centre, centre, size, size].map((deviation) => (2 * deviation * box.height) ** 2);
    this.covariance = diagonal([...value, ...Array<number>(4).fill((firstVelocity * box.height) ** 2)]);
  }

  get box(): Box {
    const [x, y, width, height] = this.mean.map(([value]) => value!) as [number, number, number, number];
    return { x: x - width / 2, y: y - height / 2, width, height };
  }

  get velocity() {
    return { x: this.mean[4]![0]!, y: this.mean[5]![0]! };
  }

  predict(t: number): void {
    const q = (MOTION_NOISE.velocity * this.mean[3]![0]!) ** 2;
    const f = diagonal(Array<number>(8).fill(1));
    const noise = diagonal([...Array<number>(4).fill((q * t ** 3) / 3), ...Array<number>(4).fill(q * t)]);
    for (let i = 0; i < 4; i++) {
      f[i]![i + 4] = t;
      noise[i]![i + 4] = (q * t ** 2) / 2;
      noise[i + 4]![i] = (q * t ** 2) / 2;
    }
    this.mean = times(f, this.mean);
    this.covariance = plus(times(times(f, this.covariance), transposed(f)), noise);
  }

  correct(box: Box): void {
    const height = this.mean[3]![0]!;
    const h: Matrix = Array.from({ length: 4 }, (_, row) => Array.from({ length: 8 }, (_, column) => (row === column ? 1 : 0)));
    const { centre, size } = MOTION_NOISE;
    const r = diagonal([centre, centre, size, size].map((deviation) => (deviation * height) ** 2));
    const s = plus(times(times(h, this.covariance), transposed(h)), r);
    const gain = times(times(this.covariance, transposed(h)), inverse(s));
    const surprise = centred(box).map((value, i) => [value - this.mean[i]![0]!]);
    this.mean = plus(this.mean, times(gain, surprise));
    const left = plus(
      diagonal(Array<number>(8).fill(1)),
      times(gain, h).map((row) => row.map((value) => -value)),
    );
    this.covariance = times(left, this.covariance);
  }
}

function centred(box: Box): number[] {
  return [box.x + box.width / 2, box.y + box.height / 2, box.width, box.height];
}

function diagonal(values: number[]): Matrix {
  return values.map((value, row) => values.map((_, column) => (row === column ? value : 0)));
}

function times(a: Matrix, b: Matrix): Matrix {
  return a.map((row) => b[0]!.map((_, column) => row.reduce((sum, value, k) => sum + value * b[k]![column]!, 0)));
}

function plus(a: Matrix, b: Matrix): Matrix {
  return a.map((row, i) => row.map((value, j) => value + b[i]![j]!));
}

function transposed(a: Matrix): Matrix {
  return a[0]!.map((_, column) => a.map((row) => row[column]!));
}

/** Gauss and Jordan. */
function inverse(a: Matrix): Matrix {
  const size = a.length;
  const rows = a.map((row, i) => [...row, ...Array.from({ length: size }, (_, j) => (i === j ? 1 : 0))]);
  for (let pivot = 0; pivot < size; pivot++) {
    const scale = rows[pivot]![pivot]!;
    rows[pivot] = rows[pivot]!.map((value) => value / scale);
    for (let row = 0; row < size; row++) {
      if (row === pivot) continue;
      const factor = rows[row]![pivot]!;
      rows[row] = rows[row]!.map((value, column) => value - factor * rows[pivot]![column]!);
    }
  }
  return rows.map((row) => row.slice(size));
}
