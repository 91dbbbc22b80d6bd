import { invalidSetting } from '../../core/errors';
import type { CameraSettings } from '../../core/media/camera';
import type { View } from '../../core/media/ffmpeg';
import { choiceSetting, flagSetting, numberSetting, textSetting } from '../common/settings';

/** As the dialog saves it. Flows of older versions lack what came later; what is absent means what it meant then. */
export interface CameraConfig {
  url?: string;
  kind?: string;
  framesPerSecond?: string | number;
  start?: string;
  timeout?: string | number;
  insecure?: boolean | string;
  transport?: string;
  hardware?: string;
  keyFramesOnly?: boolean | string;
  largestWidth?: string | number;
  rotation?: string | number;
  /** Shares of the picture: "x, y, width, height", each from 0 to 1. */
  region?: string;
  ffmpeg?: string;
}

export interface CameraCredentials {
  user?: string;
  password?: string;
}

/** What to ask, and how often. @throws EDGE_SETTING */
export function cameraSettings(config: CameraConfig, { user = '', password = '' }: CameraCredentials, ffmpegFolder: string) {
  const framesPerSecond = numberSetting('pictures per second', config.framesPerSecond, { min: 0.001, max: 120, fallback: 2 });
  const camera: CameraSettings = {
    url: textSetting('address', config.url),
    kind: choiceSetting('kind', config.kind, ['auto', 'snapshot', 'mjpeg', 'video']),
    credentials: { user: String(user), password: String(password) },
    timeoutMs: 1000 * numberSetting('answer within', config.timeout, { min: 0.5, max: 120, fallback: 5 }),
    insecure: flagSetting(config.insecure, false),
    framesPerSecond,
    transport: choiceSetting('transport', config.transport, ['auto', 'tcp', 'udp']),
    hardware: hardwareSetting(config.hardware),
    keyFramesOnly: flagSetting(config.keyFramesOnly, false),
    view: viewSetting(config),
    ffmpeg: textSetting('FFmpeg', config.ffmpeg),
    ffmpegFolder,
  };
  return { camera, framesPerSecond, start: choiceSetting('start', config.start, ['deploy', 'message']) };
}

function viewSetting({ region, rotation, largestWidth }: CameraConfig): View {
  const part = regionSetting(region);
  return {
    ...(part ? { region: part } : {}),
    rotation: Number(choiceSetting('rotation', String(rotation ?? ''), ['0', '90', '180', '270'])) as View['rotation'],
    largestWidth: numberSetting('largest width', largestWidth, { min: 0, max: 16_384, fallback: 0, integer: true }),
  };
}

function regionSetting(value: unknown): View['region'] {
  const text = textSetting('region', value);
  if (text === '') return undefined;
  const numbers = text
    .split(/[,;\s]+/)
    .filter(Boolean)
    .map(Number);
  const [x = 0, y = 0, width = 0, height = 0] = numbers;
  // A little more than 1: three decimals of thirds do not add up.
  const inside = x >= 0 && y >= 0 && width > 0 && height > 0 && x + width <= 1.002 && y + height <= 1.002;
  if (numbers.length !== 4 || !inside) {
    throw invalidSetting('region', 'x, y, width, height as shares from 0 to 1 that lie inside the picture', text);
  }
  return { x, y, width: Math.min(width, 1 - x), height: Math.min(height, 1 - y) };
}

/** It goes onto FFmpeg's command line, so it is a word. */
function hardwareSetting(value: unknown): string {
  const text = textSetting('hardware decoding', value, 'off');
  if (!/^[a-z0-9_]{1,40}$/i.test(text)) throw invalidSetting('hardware decoding', 'off, auto or the name of a decoder', text);
  return text;
}
