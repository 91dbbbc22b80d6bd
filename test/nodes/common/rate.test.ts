import { Rate } from '../../../nodes/common/rate';

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

/** So many a second, evenly, for so long. */
function feed(rate: Rate, perSecond: number, seconds: number): void {
  for (let count = 0; count < perSecond * seconds; count++) {
    jest.advanceTimersByTime(1000 / perSecond);
    rate.count();
  }
}

describe('the rate in a status', () => {
  it('is right from the first second on', () => {
    const rate = new Rate();
    expect(rate.perSecond()).toBe(0);
    feed(rate, 10, 1);
    expect(rate.perSecond()).toBeCloseTo(10, 0);
  });

  it('follows a change within its window, up and down to nothing', () => {
    const rate = new Rate(5);
    feed(rate, 10, 60);
    expect(rate.perSecond()).toBeCloseTo(10, 0);
    feed(rate, 2, 6);
    expect(rate.perSecond()).toBeCloseTo(2, 0);
    jest.advanceTimersByTime(6000);
    expect(rate.perSecond()).toBe(0);
  });

  it('survives a night without messages', () => {
    const rate = new Rate(5);
    feed(rate, 5, 3);
    jest.advanceTimersByTime(12 * 3600 * 1000);
    rate.count();
    expect(rate.perSecond()).toBeLessThan(1);
  });
});
