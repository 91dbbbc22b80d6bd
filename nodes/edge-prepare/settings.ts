import { invalidSetting } from '../../core/errors';
import type { QueuePolicy } from '../../core/inference/queue';
import type { Colours, Crop, Edit, TensorTarget } from '../../core/media/prepare';
import { MAX_PIXELS } from '../../core/media/sharp';
import { choiceSetting, flagSetting, numberSetting, textSetting } from '../common/settings';

/** As the dialog saves it. */
export interface PrepareConfig {
  output?: string;
  model?: string;
  crop?: boolean | string;
  cropUnit?: string;
  cropX?: string | number;
  cropY?: string | number;
  cropWidth?: string | number;
  cropHeight?: string | number;
  width?: string | number;
  height?: string | number;
  fit?: string;
  anchor?: string;
  padding?: string | number;
  colours?: string;
  quality?: string | number;
  layout?: string;
  tensorType?: string;
  mean?: string | number;
  scale?: string | number;
  policy?: string;
  capacity?: string | number;
}

export interface PrepareSettings {
  output: 'frame' | 'jpeg' | 'tensor';
  edit: Edit;
  colours: Colours;
  quality: number;
  /** For a tensor made by hand; null where a model says it. */
  tensor: TensorTarget | null;
  queue: { policy: Exclude<QueuePolicy, 'batch'>; capacity: number };
}

const MAX_SIDE = 16_384;

/** @throws EDGE_SETTING */
export function prepareSettings(config: PrepareConfig): PrepareSettings {
  const output = choiceSetting('output', config.output, ['frame', 'jpeg', 'tensor']);
  const fit = choiceSetting('fit', config.fit, ['letterbox', 'stretch', 'cover', 'inside']);
  const anchor = choiceSetting('anchor', config.anchor, ['centre', 'start']);
  const padding = numberSetting('padding', config.padding, { min: 0, max: 255, fallback: 114, integer: true });
  const colours = choiceSetting('colours', config.colours, ['rgb', 'bgr', 'grey']);
  const width = side('width', config.width);
  const height = side('height', config.height);
  if (width * height > MAX_PIXELS) {
    throw invalidSetting('width and height', `at most ${MAX_PIXELS / 1e6} megapixels together`, `${width}x${height}`);
  }
  const crop = flagSetting(config.crop, false) ? cropSetting(config) : undefined;
  const resize =
    width || height ? { ...(width ? { width } : {}), ...(height ? { height } : {}), fit, anchor, padding } : undefined;
  let tensor: TensorTarget | null = null;
  if (output === 'tensor' && !config.model) {
    if (!width || !height) throw invalidSetting('width and height', 'both, for a tensor', config.width);
    if (fit === 'inside') throw invalidSetting('fit', 'letterbox, stretch or cover, for a tensor', fit);
    tensor = {
      ...{ width, height, fit, anchor, padding, colours },
      layout: choiceSetting('layout', config.layout, ['NCHW', 'NHWC']),
      type: choiceSetting('element type', config.tensorType, ['float32', 'uint8']),
      mean: numbers('mean', config.mean, 0),
      scale: numbers('scale', config.scale, 1 / 255),
    };
  }
  return {
    output,
    edit: { ...(crop ? { crop } : {}), ...(resize ? { resize } : {}) },
    colours,
    quality: numberSetting('quality', config.quality, { min: 1, max: 100, fallback: 85, integer: true }),
    tensor,
    queue: {
      policy: choiceSetting('when busy', config.policy, ['latest', 'drop-oldest', 'drop-newest', 'wait']),
      capacity: numberSetting('waiting at most', config.capacity, { min: 1, max: 1000, fallback: 10, integer: true }),
    },
  };
}

function cropSetting(config: PrepareConfig): Crop {
  const unit = choiceSetting('crop unit', config.cropUnit, ['relative', 'pixels']);
  const max = unit === 'relative' ? 1 : MAX_SIDE;
  const at = (name: string, value: unknown, fallback: number) => numberSetting(`crop ${name}`, value, { min: 0, max, fallback });
  return {
    unit,
    x: at('x', config.cropX, 0),
    y: at('y', config.cropY, 0),
    width: at('width', config.cropWidth, max),
    height: at('height', config.cropHeight, max),
  };
}

function side(name: string, value: unknown): number {
  return numberSetting(name, value, { min: 1, max: MAX_SIDE, fallback: 0, integer: true });
}

/** One number or one per channel, separated by commas; a fraction such as 1/255 is taken too. */
function numbers(name: string, value: unknown, fallback: number): number[] {
  const text = typeof value === 'number' ? String(value) : textSetting(name, value);
  if (text === '') return [fallback];
  return text.split(',').map((part) => {
    const [above = '', below = '1'] = part.split('/');
    const number = above.trim() === '' ? Number.NaN : Number(above) / Number(below);
    if (!Number.isFinite(number)) throw invalidSetting(name, 'numbers separated by commas', value);
    return number;
  });
}
