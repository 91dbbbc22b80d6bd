import { join } from 'node:path';
import type { NodeAPI } from 'node-red';
import { EdgeError } from '../../core/errors';
import { openRecording } from '../../core/media/recording';
import { providers } from '../../core/inference/providers';
import { frameBytes } from '../../core/message/frame';
import { catalogue, DEFAULT_MODEL, inspectModel, ModelStore } from '../../core/task';
import { HEADS } from '../../core/vision/heads';
import { type AdminRequest, adminRoute, readBytes } from '../common/admin';
import { ModelOwner, storeFolder } from '../common/model-owner';
import { type ModelConfig, modelSettings } from './settings';

/** Largest picture that "Try it" takes, in bytes. */
const LARGEST_PICTURE = 25e6;
const SAMPLE = join(__dirname, '..', '..', 'samples', 'person-at-desk.mjpeg');
const NEWLINE = 0x0a;

/**
 * What the dialog asks the runtime. Inspecting and trying read files of this machine and may fetch from the network, so they
 * need the permission to write.
 */
export function registerRoutes(RED: NodeAPI): void {
  const folder = storeFolder(RED);
  adminRoute(RED, 'get', 'catalogue', 'edge-model.read', async () => ({
    default: DEFAULT_MODEL,
    heads: HEADS.map(({ id, task }) => ({ id, task })),
    models: catalogue().map(({ input, labels, source, ...entry }) => ({
      ...entry,
      packaged: source.startsWith('package:'),
      labels: labels.filter((label) => label !== ''),
      input: input.kind === 'image' ? `${input.width}×${input.height}` : '',
    })),
  }));
  adminRoute(RED, 'get', 'providers', 'edge-model.read', providers);
  adminRoute(RED, 'post', 'model/inspect', 'edge-model.write', ({ body, signal }) => inspect(folder, body, signal));
  adminRoute(RED, 'post', 'model/try', 'edge-model.write', (asked) => tryModel(folder, asked));
}

async function inspect(folder: string, config: unknown, signal: AbortSignal) {
  const { source, manifest } = modelSettings(configOf(config));
  const {
    path: _path,
    folder: _folder,
    ...known
  } = await inspectModel(source || `catalogue:${DEFAULT_MODEL}`, {
    store: new ModelStore(folder),
    manifest,
    signal,
  });
  return known;
}

/** The body is one line of JSON, the dialog's settings, then the picture; without one the packaged sample's first is taken. */
async function tryModel(folder: string, { request, signal }: AdminRequest) {
  const body = await readBytes(request, LARGEST_PICTURE);
  const end = body.indexOf(NEWLINE);
  if (end < 0) throw new EdgeError('EDGE_INPUT_TYPE', 'the settings do not end with a line break');
  const settings = modelSettings(configOf(parseJson(body.subarray(0, end).toString())));
  const uploaded = body.subarray(end + 1);
  const picture = uploaded.length > 0 ? uploaded : await samplePicture();
  const owner = new ModelOwner(() => settings, folder);
  signal.addEventListener('abort', () => void owner.close());
  try {
    // Whoever tries a model wants it tried, also where it ended badly before.
    const task = await owner.task({ retry: true });
    // The first run of a session pays for its memory; the second is what a flow will see.
    await task.run(picture, signal);
    const { result, timings } = await task.run(picture, signal);
    const { manifest, session, warnings } = task.info;
    return {
      result,
      timings,
      session,
      warnings,
      title: manifest.title,
      ...(uploaded.length > 0 ? {} : { sample: `data:image/jpeg;base64,${picture.toString('base64')}` }),
    };
  } finally {
    await owner.close();
  }
}

async function samplePicture(): Promise<Buffer> {
  const recording = await openRecording(SAMPLE);
  for await (const { frame } of recording.play(() => {})) return Buffer.from(frameBytes(frame));
  throw new EdgeError('EDGE_FILE_NOT_FOUND', SAMPLE);
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new EdgeError('EDGE_INPUT_TYPE', 'the settings are not JSON', { cause });
  }
}

/** As Node-RED does at deploy, a value that is wholly `${NAME}` is taken from the environment. */
function configOf(value: unknown): ModelConfig {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new EdgeError('EDGE_INPUT_TYPE', 'the settings are not an object');
  }
  const fields = Object.entries(value).map(([name, said]) => {
    const variable = typeof said === 'string' ? /^\$\{([^}]+)\}$/.exec(said)?.[1] : undefined;
    return [name, variable === undefined ? said : (process.env[variable] ?? said)];
  });
  return Object.fromEntries(fields);
}
