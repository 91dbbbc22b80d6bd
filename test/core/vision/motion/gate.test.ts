import { MotionGate } from '../../../../core/vision/motion';

const steady = (moving: boolean) => ({ moving, scene: 'steady' as const });

describe('the gate', () => {
  it('lets frames pass while something moves and for the hold after it, and counts both', () => {
    const gate = new MotionGate({ holdSeconds: 1, everySeconds: 0 });
    const passed = Array.from({ length: 30 }, (_, frame) => gate.passes(steady(frame >= 5 && frame < 8), frame * 100));
    expect(passed.flatMap((passes, frame) => (passes ? [frame] : []))).toEqual([5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]);
    expect(gate).toMatchObject({ passed: 13, stopped: 17 });
  });

  it('lets everything pass while the background is learnt', () => {
    const gate = new MotionGate({ holdSeconds: 0, everySeconds: 0 });
    expect(gate.passes({ moving: false, scene: 'learning' }, 0)).toBe(true);
    expect(gate.passes(steady(false), 100)).toBe(false);
  });

  it('lets a frame pass now and then although nothing moves', () => {
    const gate = new MotionGate({ holdSeconds: 0, everySeconds: 5 });
    const passed = Array.from({ length: 200 }, (_, frame) => gate.passes(steady(false), frame * 100));
    expect(passed.flatMap((passes, frame) => (passes ? [frame] : []))).toEqual([0, 50, 100, 150]);
  });

  it('says which setting is wrong', () => {
    expect(() => new MotionGate({ holdSeconds: -1 })).toThrow('holdSeconds');
  });
});
