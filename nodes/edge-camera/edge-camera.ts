import type { Node, NodeAPI, NodeDef, NodeMessage } from 'node-red';
import { asEdgeError, EdgeError } from '../../core/errors';
import { Camera, type CapturedPicture, openCamera, takeSnapshot } from '../../core/media/camera';
import { addressName, parseAddress } from '../../core/media/camera/address';
import type { Provenance } from '../../core/message/provenance';
import { construct } from '../common/construct';
import { serveFfmpeg } from '../common/ffmpeg';
import { ffmpegFolder } from '../common/ffmpeg-folder';
import { figuresOf } from '../common/figures';
import { logEvent } from '../common/log';
import { serveMetrics } from '../common/metrics-route';
import { onClose, onInput } from '../common/on-input';
import { Rate } from '../common/rate';
import { reportError } from '../common/report';
import { clearStatus, status } from '../common/status';
import { registerRoutes } from './routes';
import { type CameraConfig, type CameraCredentials, cameraSettings } from './settings';

module.exports = (RED: NodeAPI) => {
  function EdgeCamera(this: Node, config: NodeDef & CameraConfig) {
    RED.nodes.createNode(this, config);
    construct(this, () => startCamera(RED, this, config));
  }

  RED.nodes.registerType('edge-camera', EdgeCamera, { credentials: { user: { type: 'text' }, password: { type: 'password' } } });
  registerRoutes(RED);
  serveFfmpeg(RED);
  serveMetrics(RED);
};

function startCamera(RED: NodeAPI, node: Node, config: CameraConfig): void {
  const settings = cameraSettings(config, (node as Node<CameraCredentials>).credentials ?? {}, ffmpegFolder(RED));
  const name = node.name || addressName(parseAddress(settings.camera.url));
  const closing = new AbortController();
  let rate = new Rate();
  let sequence = 0;
  let camera: Camera | undefined;
  let asked: Promise<CapturedPicture> | undefined;

  const messageOf = ({ frame, capturedAt, captureMs }: CapturedPicture) => {
    const edge: Provenance = { source: name, sequence: sequence++, capturedAt, timings: { capture: captureMs } };
    return { topic: name, payload: frame, edge };
  };
  const start = () => {
    if (camera) return;
    rate = new Rate();
    let connected = false;
    camera = new Camera(
      openCamera(settings.camera, (text) => logEvent(node, 'note', text)),
      settings.framesPerSecond,
      {
        onPicture(picture) {
          node.send(messageOf(picture) as NodeMessage);
          rate.count();
          figuresOf(node).countPicture();
          if (!connected) logEvent(node, 'connected', `${picture.frame.width} × ${picture.frame.height}`);
          connected = true;
          status(node, 'green', `${rate.perSecond().toFixed(1)} fps`);
        },
        // While it waits for the next try, the error stays to be read.
        onState: (state) => {
          if (state !== 'connecting') return;
          if (connected) figuresOf(node).countReconnect();
          else status(node, 'yellow', 'edge-camera.status.connecting');
        },
        onError: (error) => reportError(node, error, { topic: name } as NodeMessage),
      },
    );
    camera.start();
  };
  const stop = async () => {
    const running = camera;
    camera = undefined;
    await running?.stop();
  };

  onInput(node, async (message, send) => {
    const { payload } = message;
    if (payload === 'start') start();
    else if (payload === 'stop') {
      await stop();
      status(node, 'grey', 'edge-camera.status.stopped');
    } else {
      // Messages that ask at the same time share one answer: a button that bounces is no flood for the camera.
      asked ??= (camera?.shared ? camera.next() : takeSnapshot(settings.camera, closing.signal)).finally(() => {
        asked = undefined;
      });
      const picture = await asked.catch((thrown: unknown) => {
        throw closing.signal.aborted ? new EdgeError('EDGE_SESSION_CLOSED', 'the camera was stopped') : asEdgeError(thrown);
      });
      send(Object.assign(message, messageOf(picture)));
      if (!camera) status(node, 'green', `${Math.round(picture.captureMs)} ms`);
    }
  });
  onClose(node, async () => {
    closing.abort();
    await stop();
    await asked?.catch(() => {});
    clearStatus(node);
  });

  if (settings.start === 'deploy') start();
  else status(node, 'grey', 'edge-camera.status.ready');
}
