import { type Motion, MotionDetector, type MotionSettings } from '../../../../core/vision/motion';

const WIDTH = 160;
const HEIGHT = 120;

/** A scene of many greys, seen by a sensor with noise, in which a rectangle may stand. The noise is the same in every run. */
class Scene {
  private state = 11;
  /** Of one sensor, from -1 to 1; each picture begins somewhere else in it. */
  private readonly field = Float32Array.from({ length: 2 * WIDTH * HEIGHT }, () => this.random() * 2 - 1);

  picture({
    thing,
    light = 1,
    noise = 3,
    grey = 210,
  }: {
    thing?: { x: number; y: number; width: number; height: number };
    light?: number;
    noise?: number;
    grey?: number;
  } = {}) {
    const pixels = new Uint8ClampedArray(WIDTH * HEIGHT);
    const offset = Math.floor(this.random() * WIDTH * HEIGHT);
    const { field } = this;
    for (let y = 0; y < HEIGHT; y++) {
      for (let x = 0; x < WIDTH; x++) {
        const inside = thing && x >= thing.x && x < thing.x + thing.width && y >= thing.y && y < thing.y + thing.height;
        const value = inside ? grey : 60 + ((x * 3 + y * 5) % 80);
        pixels[y * WIDTH + x] = value * light + field[offset + y * WIDTH + x]! * noise;
      }
    }
    return { pixels: new Uint8Array(pixels.buffer), width: WIDTH, height: HEIGHT };
  }

  private random(): number {
    this.state = (this.state * 1664525 + 1013904223) >>> 0;
    return this.state / 2 ** 32;
  }
}

type Shown = Parameters<Scene['picture']>[0];

/** Pictures 100 ms apart. */
function watch(shown: Shown[], settings: Partial<MotionSettings> = {}): Motion[] {
  const scene = new Scene();
  const detector = new MotionDetector(settings);
  return shown.map((one, index) => detector.update(scene.picture(one), 5000 + index * 100)!);
}

const still = (count: number, shown: Shown = {}): Shown[] => Array<Shown>(count).fill(shown);
const walker = (x: number) => ({ thing: { x, y: 40, width: 12, height: 36 } });

describe('motion before a fixed camera', () => {
  it('is not there while nothing moves but the noise', () => {
    const seen = watch(still(60, { noise: 6 }));
    expect(seen.filter(({ moving }) => moving)).toEqual([]);
    expect(seen[0]!.scene).toBe('learning');
    expect(seen.at(-1)!.scene).toBe('steady');
  });

  it('is where something walks, as shares of the picture', () => {
    const seen = watch([...still(20), ...Array.from({ length: 20 }, (_, step) => walker(10 + 6 * step))]);
    for (const [index, { moving, boxes, scene }] of seen.slice(20).entries()) {
      expect({ moving, scene }).toEqual({ moving: true, scene: 'steady' });
      const [box] = boxes;
      // The box may hold a trace of where the walker has been.
      expect(box!.x + box!.width).toBeCloseTo((10 + 6 * index + 12) / WIDTH, 1);
      expect(box!.y).toBeCloseTo(40 / HEIGHT, 1);
      expect(box!.height).toBeGreaterThan(30 / HEIGHT);
    }
  });

  it('finds two things apart, largest first', () => {
    const scene = new Scene();
    const detector = new MotionDetector();
    for (let frame = 0; frame < 20; frame++) detector.update(scene.picture(), frame * 100);
    const picture = scene.picture({ thing: { x: 100, y: 30, width: 30, height: 60 } });
    const other = scene.picture({ thing: { x: 10, y: 80, width: 10, height: 20 } });
    for (let pixel = 0; pixel < picture.pixels.length; pixel++) {
      if (pixel % WIDTH < 40) picture.pixels[pixel] = other.pixels[pixel]!;
    }
    const { boxes } = detector.update(picture, 2000)!;
    expect(boxes).toHaveLength(2);
    expect(boxes[0]!.x).toBeGreaterThan(0.5);
    expect(boxes[1]!.x).toBeLessThan(0.2);
  });

  it('passes over what is smaller than the least area', () => {
    const speck = { thing: { x: 80, y: 60, width: 5, height: 5 } };
    const moving = (leastArea: number) => watch([...still(20), speck], { leastArea }).at(-1)!.moving;
    expect(moving(0.0005)).toBe(true);
    expect(moving(0.01)).toBe(false);
  });

  it('takes what came and stays for background after a while', () => {
    const seen = watch([...still(20), ...still(200, walker(60))]);
    expect(seen[22]!.moving).toBe(true);
    expect(seen.at(-1)!.moving).toBe(false);
  });

  it('finds the same whether frames come five or one in a second', () => {
    for (const interval of [200, 1000]) {
      const scene = new Scene();
      const detector = new MotionDetector();
      let at = 0;
      for (; at < 4000; at += interval) detector.update(scene.picture(), at);
      const standsStillFor = [];
      for (; at < 30_000; at += interval) if (detector.update(scene.picture(walker(60)), at)!.moving) standsStillFor.push(at);
      expect(standsStillFor.length * interval).toBeGreaterThan(5000);
      expect(standsStillFor.length * interval).toBeLessThan(25_000);
    }
  });
});

describe('light', () => {
  it('that drifts is no motion', () => {
    const drift = Array.from({ length: 100 }, (_, frame) => ({ light: 1 + 0.4 * Math.sin(frame / 20) }));
    expect(watch([...still(20), ...drift]).filter(({ moving }) => moving)).toEqual([]);
  });

  it('that changes everywhere at once is no motion, and a walker in it still is', () => {
    const seen = watch([...still(20), ...still(20, { light: 1.5 }), { ...walker(60), light: 1.5, grey: 160 }]);
    expect(seen.slice(0, -1).filter(({ moving }) => moving)).toEqual([]);
    expect(seen.at(-1)).toMatchObject({ moving: true, scene: 'steady' });
  });

  it('that changes the whole scene is said to be that, once, and the background begins anew', () => {
    const scene = new Scene();
    const detector = new MotionDetector();
    for (let frame = 0; frame < 20; frame++) detector.update(scene.picture(), frame * 100);
    const turned = () => {
      const { pixels, ...size } = scene.picture();
      return { ...size, pixels: pixels.reverse().map((value, at) => ((at >> 4) % 2 ? value : 255 - value)) };
    };
    const seen = Array.from({ length: 10 }, (_, frame) => detector.update(turned(), 2000 + frame * 100)!);
    expect(seen[0]).toMatchObject({ scene: 'changed', moving: true });
    expect(seen.slice(1).every(({ scene: now, moving }) => now === 'steady' && !moving)).toBe(true);
  });

  it('that goes out is dark, whatever the noise, and when it comes back everything is as it was', () => {
    const seen = watch([...still(20), ...still(30, { light: 0.02, noise: 4 }), ...still(20)]);
    for (const { scene, moving } of seen.slice(20, 50)) expect({ scene, moving }).toEqual({ scene: 'dark', moving: false });
    for (const { scene, moving } of seen.slice(50)) expect({ scene, moving }).toEqual({ scene: 'steady', moving: false });
  });
});

describe('regions and masks', () => {
  const left = [
    { x: 0, y: 0 },
    { x: 0.5, y: 0 },
    { x: 0.5, y: 1 },
    { x: 0, y: 1 },
  ];

  it('say where motion counts and where it does not', () => {
    const at = (x: number, settings: Partial<MotionSettings>) => watch([...still(20), walker(x)], settings).at(-1)!.moving;
    expect([at(20, { regions: [left] }), at(120, { regions: [left] })]).toEqual([true, false]);
    expect([at(20, { masks: [left] }), at(120, { masks: [left] })]).toEqual([false, true]);
  });

  it('are refused where they cross themselves', () => {
    const tie = [left[0]!, left[2]!, left[1]!, left[3]!];
    expect(() => new MotionDetector({ masks: [tie] })).toThrow(expect.objectContaining({ code: 'EDGE_ZONE_SHAPE' }));
    expect(() => new MotionDetector({ masks: [tie] })).toThrow('mask 1');
  });
});

describe('bad input to motion', () => {
  it('refuses a picture that is not newer, and learns nothing of it', () => {
    const scene = new Scene();
    const detector = new MotionDetector();
    for (let frame = 0; frame < 20; frame++) detector.update(scene.picture(), frame * 100);
    expect(detector.update(scene.picture(walker(50)), 1500)).toBeNull();
    expect(detector.update(scene.picture(), 2000)!.moving).toBe(false);
  });

  it('learns anew when the size of the pictures changes', () => {
    const scene = new Scene();
    const detector = new MotionDetector();
    for (let frame = 0; frame < 20; frame++) detector.update(scene.picture(), frame * 100);
    const smaller = { pixels: new Uint8Array(80 * 60).fill(120), width: 80, height: 60 };
    expect(detector.update(smaller, 2000)).toMatchObject({ scene: 'learning', moving: false });
  });

  it('says which setting is wrong', () => {
    for (const [settings, name] of [
      [{ leastDifference: 0 }, 'leastDifference'],
      [{ leastArea: 2 }, 'leastArea'],
      [{ sceneChange: Number.NaN }, 'sceneChange'],
    ] as const) {
      expect(() => new MotionDetector(settings)).toThrow(name);
    }
  });
});
