import { invalidSetting } from '../../errors';
import type { Box } from '../../message/results';
import { StreamClock } from '../stream-clock';
import { BACKGROUND_DEFAULTS, Background } from './background';
import { cleanBinary, findBlobs } from './blobs';
import type { GreyPicture } from './grey';
import { checkArea, drawArea, type MotionArea } from './mask';

export interface MotionSettings extends MotionArea {
  /** Grey levels, of 255, by which a pixel must differ from the background. */
  leastDifference: number;
  /** Share of the picture that hangs together and moves, from which it counts. */
  leastArea: number;
  /** Share of the watched picture from which it is not motion but the whole scene: the light was switched, the camera was turned. */
  sceneChange: number;
}

export const MOTION_DEFAULTS: Readonly<MotionSettings> = {
  leastDifference: BACKGROUND_DEFAULTS.leastDifference,
  leastArea: 0.0005,
  sceneChange: 0.5,
};

/**
 * `steady`: as usual. `learning`: the first second, or the picture's size has changed. `changed`: so much is different at once that
 * the background was begun anew from this picture. `dark`: nothing can be seen.
 */
export type Scene = 'learning' | 'steady' | 'changed' | 'dark';

export interface Motion {
  moving: boolean;
  scene: Scene;
  /** What moves, largest first, at most 50; shares of the picture from 0 to 1. */
  boxes: Box[];
  /** Share of the watched picture that moves, 0 to 1. */
  share: number;
}

const LEARNING_MS = 1000;
const MOST_BOXES = 50;
/** A picture whose grey values have no higher mean and deviation than these is black, but for the sensor's noise. */
const DARK_MEAN = 10;
const DARK_DEVIATION = 6;

/** Finds what moves before a fixed camera, in small grey pictures of it. Memory: 15 bytes a pixel. About a millisecond a picture. */
export class MotionDetector {
  readonly clock = new StreamClock();
  private readonly settings: MotionSettings;
  private state: State | undefined;
  private learningUntil = 0;

  /** @throws EDGE_SETTING, EDGE_ZONE_SHAPE */
  constructor(settings: Partial<MotionSettings> = {}) {
    this.settings = { ...MOTION_DEFAULTS, ...settings };
    const { leastDifference, leastArea, sceneChange } = this.settings;
    if (!(leastDifference >= 1 && leastDifference <= 255))
      throw invalidSetting('leastDifference', 'a number from 1 to 255', leastDifference);
    if (!(leastArea >= 0 && leastArea <= 1)) throw invalidSetting('leastArea', 'a number from 0 to 1', leastArea);
    if (!(sceneChange > 0 && sceneChange <= 1)) throw invalidSetting('sceneChange', 'a number above 0, at most 1', sceneChange);
    checkArea(this.settings);
  }

  /**
   * @param at capture time in milliseconds.
   * @returns null when the picture is refused, because it is not newer than the one before it.
   */
  update(picture: GreyPicture, at: number): Motion | null {
    const elapsed = this.clock.tick(at);
    if (elapsed === null) return null;
    const state = this.stateFor(picture);
    const { background, moving, scratch, list, counts, watched } = state;
    if (isDark(picture.pixels)) {
      // Kept as it was: when the light comes back, what stood there before stands there again.
      return { moving: false, scene: 'dark', boxes: [], share: 0 };
    }
    background.update(picture.pixels, elapsed / 1000, moving);
    let changed = 0;
    for (let pixel = 0; pixel < moving.length; pixel++) {
      moving[pixel]! &= counts[pixel]!;
      changed += moving[pixel]!;
    }
    const share = watched > 0 ? changed / watched : 0;
    if (this.clock.now < this.learningUntil) return { moving: false, scene: 'learning', boxes: [], share };
    if (share >= this.settings.sceneChange) {
      background.reset(picture.pixels);
      return { moving: true, scene: 'changed', boxes: [], share };
    }
    const { width, height } = picture;
    cleanBinary(moving, scratch, width, height);
    const leastPixels = this.settings.leastArea * width * height;
    const boxes = findBlobs(moving, list, picture, leastPixels, MOST_BOXES).map(({ left, top, right, bottom }) => ({
      x: left / width,
      y: top / height,
      width: (right - left + 1) / width,
      height: (bottom - top + 1) / height,
    }));
    return { moving: boxes.length > 0, scene: 'steady', boxes, share };
  }

  private stateFor({ width, height }: GreyPicture): State {
    if (this.state?.width !== width || this.state.height !== height) {
      this.state = newState(width, height, this.settings);
      this.learningUntil = this.clock.now + LEARNING_MS;
    }
    return this.state;
  }
}

interface State {
  width: number;
  height: number;
  background: Background;
  moving: Uint8Array;
  scratch: Uint8Array;
  list: Uint32Array;
  counts: Uint8Array;
  watched: number;
}

function newState(width: number, height: number, settings: MotionSettings): State {
  const pixels = width * height;
  const { counts, pixels: watched } = drawArea(settings, width, height);
  const { leastDifference } = settings;
  return {
    width,
    height,
    background: new Background(pixels, { ...BACKGROUND_DEFAULTS, leastDifference }),
    moving: new Uint8Array(pixels),
    scratch: new Uint8Array(pixels),
    list: new Uint32Array(pixels),
    counts,
    watched,
  };
}

function isDark(pixels: Uint8Array): boolean {
  let sum = 0;
  let squares = 0;
  for (let pixel = 0; pixel < pixels.length; pixel++) {
    const value = pixels[pixel]!;
    sum += value;
    squares += value * value;
  }
  const mean = sum / pixels.length;
  return mean <= DARK_MEAN && squares / pixels.length - mean * mean <= DARK_DEVIATION ** 2;
}
