import type { NodeAPI } from 'node-red';
import { EdgeError } from '../../core/errors';
import { takeSnapshot } from '../../core/media/camera';
import { orientedSize } from '../../core/media/fit';
import { toJpeg } from '../../core/media/jpeg';
import { adminRoute } from '../common/admin';
import { ffmpegFolder } from '../common/ffmpeg-folder';
import { type CameraConfig, type CameraCredentials, cameraSettings } from './settings';

/** What the editor sends in the place of a password that is stored and that it never saw. */
const UNCHANGED = '__PWRD__';
const PREVIEW_WIDTH = 480;

/** "Test" in the dialog: one picture by the settings as they stand there. It makes requests, so it needs the permission to write. */
export function registerRoutes(RED: NodeAPI): void {
  adminRoute(RED, 'post', 'camera/test', 'edge-camera.write', async ({ body, signal }) => {
    if (typeof body !== 'object' || body === null) throw new EdgeError('EDGE_INPUT_TYPE', 'no settings');
    const { id, credentials = {}, ...config } = body as CameraConfig & { id?: string; credentials?: CameraCredentials };
    const secrets = storedPassword(RED, id, credentials);
    const { camera } = cameraSettings(resolveEnvironment(RED, id, config), secrets, ffmpegFolder(RED));
    const asked = performance.now();
    const { frame } = await takeSnapshot(camera, signal);
    const milliseconds = Math.round(performance.now() - asked);
    const jpeg = await toJpeg(frame, { width: PREVIEW_WIDTH, quality: 75 });
    return {
      ...(await orientedSize(frame)),
      milliseconds,
      picture: `data:image/jpeg;base64,${jpeg.toString('base64')}`,
    };
  });
}

function storedPassword(RED: NodeAPI, id: string | undefined, typed: CameraCredentials): CameraCredentials {
  if (typed.password !== UNCHANGED) return typed;
  const stored = id ? (RED.nodes.getCredentials(id) as CameraCredentials | undefined) : undefined;
  return { ...typed, password: stored?.password ?? '' };
}

/** `${NAME}` in a field, as Node-RED puts it there at deploy. */
function resolveEnvironment(RED: NodeAPI, id: string | undefined, config: CameraConfig): CameraConfig {
  const node = id ? RED.nodes.getNode(id) : null;
  const resolve = (value: unknown) => {
    const name = typeof value === 'string' ? /^\$\{([^}]+)\}$/.exec(value.trim())?.[1] : undefined;
    return name ? RED.util.getSetting(node as never, name) : value;
  };
  return Object.fromEntries(Object.entries(config).map(([key, value]) => [key, resolve(value)]));
}
