import { join } from 'node:path';
import type { Node, NodeAPI, NodeDef, NodeMessage } from 'node-red';
import { EdgeError } from '../../core/errors';
import { Player, type PlayerState } from '../../core/media/player';
import { openRecording, type RecordedFrame } from '../../core/media/recording';
import type { Frame } from '../../core/message/frame';
import type { Provenance } from '../../core/message/provenance';
import { Backpressure } from '../common/backpressure';
import { construct } from '../common/construct';
import { serveFfmpeg } from '../common/ffmpeg';
import { ffmpegFolder } from '../common/ffmpeg-folder';
import { figuresOf } from '../common/figures';
import { serveMetrics } from '../common/metrics-route';
import { onClose, onInput } from '../common/on-input';
import { Rate } from '../common/rate';
import { reportError } from '../common/report';
import { choiceSetting, flagSetting, numberSetting, textSetting } from '../common/settings';
import { clearStatus, status } from '../common/status';

interface ReplayDef extends NodeDef {
  source?: string;
  path?: string;
  pace?: string;
  factor?: string | number;
  loop?: string | boolean;
  start?: string;
  framesPerSecond?: string | number;
  largestWidth?: string | number;
  ffmpeg?: string;
}

interface FrameMessage extends NodeMessage {
  topic: string;
  payload: Frame;
  edge: Provenance;
}

/** Made by the build beside the compiled nodes. */
const SAMPLE = join(__dirname, '..', '..', 'samples', 'person-at-desk.mjpeg');

function parse(def: ReplayDef) {
  const source = choiceSetting('source', def.source, ['sample', 'path']);
  const path = source === 'sample' ? SAMPLE : textSetting('path', def.path);
  if (path === '') throw new EdgeError('EDGE_SETTING', 'path: no file or folder is named');
  return {
    path,
    pace: choiceSetting('speed', def.pace, ['real', 'factor', 'flow']),
    factor: numberSetting('factor', def.factor, { min: 0.01, max: 100, fallback: 1 }),
    loop: flagSetting(def.loop, true),
    start: choiceSetting('start', def.start, ['deploy', 'message']),
    framesPerSecond: numberSetting('pictures per second', def.framesPerSecond, { min: 0, max: 240, fallback: 0 }),
    largestWidth: numberSetting('largest width', def.largestWidth, { min: 0, max: 16_384, fallback: 0, integer: true }),
    ffmpeg: textSetting('FFmpeg', def.ffmpeg),
  };
}

module.exports = (RED: NodeAPI) => {
  RED.nodes.registerType('edge-replay', function (this: Node, def: ReplayDef) {
    RED.nodes.createNode(this, def);
    construct(this, () => startReplay(RED, this, parse(def)));
  });
  serveFfmpeg(RED);
  serveMetrics(RED);
};

function startReplay(RED: NodeAPI, node: Node, settings: ReturnType<typeof parse>): void {
  const { path, framesPerSecond, largestWidth, ffmpeg, loop } = settings;
  const backpressure = settings.pace === 'flow' ? new Backpressure(RED, node) : undefined;
  let rate = new Rate();
  let name = node.name ?? '';
  let sequence = 0;

  const open = async () => {
    const recording = await openRecording(path, { framesPerSecond, largestWidth, ffmpeg, ffmpegFolder: ffmpegFolder(RED) });
    name = node.name || recording.name;
    return recording;
  };
  const onFrame = ({ frame }: RecordedFrame) => {
    const edge: Provenance = { source: name, sequence: sequence++, capturedAt: Date.now(), timings: {} };
    const message: FrameMessage = { topic: name, payload: frame, edge };
    if (backpressure) backpressure.follow(message, RED.util.generateId(), () => node.send(message));
    else node.send(message);
    rate.count();
    figuresOf(node).countPicture();
    status(node, 'green', `${rate.perSecond().toFixed(1)} fps`);
  };
  const onState = (state: PlayerState) => {
    if (state === 'playing') rate = new Rate();
    else status(node, state === 'paused' ? 'yellow' : 'grey', `edge-replay.status.${state}`);
  };
  const onError = (error: EdgeError) => reportError(node, error, { topic: name });

  const pace = backpressure
    ? { ready: () => backpressure.ready() }
    : { factor: settings.pace === 'factor' ? settings.factor : 1 };
  const player = new Player(open, { pace, loop }, { onFrame, onState, onError });

  onInput(node, async ({ payload }) => {
    if (payload === 'pause' || (payload === 'toggle' && player.playing)) player.pause();
    else if (payload === 'stop' || payload === false) await player.stop();
    else if (payload === 'restart') {
      await player.stop();
      player.start();
    } else if (payload === 'start' || payload === 'resume' || payload === 'toggle' || payload === true) player.start();
    else
      throw new EdgeError('EDGE_INPUT_TYPE', 'a message that is no command', {
        mend: 'Send start, stop, pause, toggle or restart',
      });
  });
  onClose(node, async () => {
    await player.stop();
    backpressure?.close();
    clearStatus(node);
  });

  if (settings.start === 'deploy') player.start();
  else status(node, 'grey', 'edge-replay.status.waiting');
}
