import { StreamClock } from '../../../core/vision/stream-clock';

const run = (times: number[]) => {
  const clock = new StreamClock();
  return { elapsed: times.map((at) => clock.tick(at)), clock };
};

describe('the time of a stream', () => {
  it('counts from the first frame', () => {
    const { elapsed, clock } = run([5000, 5100, 5250]);
    expect(elapsed).toEqual([0, 100, 150]);
    expect(clock.now).toBe(250);
  });

  it('refuses a frame that was overtaken, comes twice, or has no time, and goes on as if it had not come', () => {
    const { elapsed, clock } = run([1000, 1200, 1100, 1200, Number.NaN, Infinity, 1e300, 1300]);
    expect(elapsed).toEqual([0, 200, null, null, null, null, null, 100]);
    expect(clock.refused).toBe(5);
    expect(clock.setBack).toBe(0);
  });

  it('takes a clock that was set back far for what it is, at once, and goes on by the usual interval', () => {
    const { elapsed, clock } = run([1_000_000, 1_000_100, 1_000_200, 500_000, 500_100]);
    expect(elapsed).toEqual([0, 100, 100, 100, 100]);
    expect(clock.now).toBe(400);
    expect(clock.setBack).toBe(1);
  });

  it('takes a clock that was set back by a little for what it is after five frames', () => {
    const { elapsed, clock } = run([10_000, 10_100, 8000, 8100, 8200, 8300, 8400, 8500]);
    expect(elapsed).toEqual([0, 100, null, null, null, null, 100, 100]);
    expect(clock.setBack).toBe(1);
  });

  it('does not take stragglers for a clock that was set back, however many between newer frames', () => {
    const times = Array.from({ length: 40 }, (_, frame) => (frame % 2 ? frame * 100 - 350 : frame * 100));
    const { clock } = run(times);
    expect(clock.setBack).toBe(0);
    expect(clock.refused).toBe(20);
  });

  it('does not take one frame that is sent again and again for a clock that was set back', () => {
    const { clock } = run([0, 100, ...Array<number>(50).fill(100)]);
    expect(clock.setBack).toBe(0);
    expect(clock.now).toBe(100);
  });

  it('believes a gap', () => {
    expect(run([0, 100, 3_600_100]).clock.now).toBe(3_600_100);
  });
});
