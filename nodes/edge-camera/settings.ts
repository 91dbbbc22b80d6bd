import type { CameraSettings } from '../../core/media/camera';
import { choiceSetting, flagSetting, numberSetting, textSetting } from '../common/settings';

/** As the dialog saves it. */
export interface CameraConfig {
  url?: string;
  kind?: string;
  framesPerSecond?: string | number;
  start?: string;
  timeout?: string | number;
  insecure?: boolean | string;
}

export interface CameraCredentials {
  user?: string;
  password?: string;
}

/** What to ask, and how often. @throws EDGE_SETTING */
export function cameraSettings(config: CameraConfig, { user = '', password = '' }: CameraCredentials) {
  const camera: CameraSettings = {
    url: textSetting('address', config.url),
    kind: choiceSetting('kind', config.kind, ['auto', 'snapshot', 'mjpeg']),
    credentials: { user: String(user), password: String(password) },
    timeoutMs: 1000 * numberSetting('timeout', config.timeout, { min: 0.5, max: 120, fallback: 10 }),
    insecure: flagSetting(config.insecure, false),
  };
  return {
    camera,
    framesPerSecond: numberSetting('pictures per second', config.framesPerSecond, { min: 0.001, max: 60, fallback: 2 }),
    start: choiceSetting('start', config.start, ['deploy', 'message']),
  };
}
