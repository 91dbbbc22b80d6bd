import { dirname } from 'node:path';
import type { NodeAPI } from 'node-red';
import { asEdgeError, EdgeError } from '../../core/errors';
import { Ffmpeg, findFfmpeg } from '../../core/media/ffmpeg';
import { installedFfmpeg, installFfmpeg, licenceText, removeFfmpeg } from '../../core/media/ffmpeg/install';
import { prebuiltFor } from '../../core/media/ffmpeg/prebuilt';
import { adminRoute } from './admin';
import { ffmpegFolder } from './ffmpeg-folder';
import type { FfmpegReport } from './ffmpeg-report';

const ROUTES = Symbol.for('edgeloom.ffmpeg');

/** One installation in this process at a time: a second who asks waits for the same. */
let underWay: { bytes: number; done: Promise<unknown> } | undefined;

/**
 * Routes of the editor's piece about FFmpeg, for the nodes that use it; whichever loads first makes them. All want the
 * permission to write: one of them runs a program that the dialog names, one fetches a program from the network.
 */
export function serveFfmpeg(RED: NodeAPI): void {
  const server = RED.httpAdmin as (NodeAPI['httpAdmin'] & { [ROUTES]?: true }) | undefined;
  if (!server || server[ROUTES]) return;
  server[ROUTES] = true;
  const folder = ffmpegFolder(RED);
  const permission = 'edge-camera.write';
  adminRoute(RED, 'post', 'ffmpeg/look', permission, ({ body }) => look(folder, textOf(body, 'named')));
  adminRoute(RED, 'get', 'ffmpeg/licence', permission, async () => {
    const prebuilt = prebuiltFor();
    return { text: prebuilt ? await licenceText(prebuilt) : '' };
  });
  adminRoute(RED, 'post', 'ffmpeg/install', permission, async ({ body, signal }) => {
    if (textOf(body, 'licence') !== prebuiltFor()?.licence) {
      throw new EdgeError('EDGE_FFMPEG_INSTALL', 'its licence was not agreed to');
    }
    await install(folder, signal);
    return look(folder, '');
  });
  adminRoute(RED, 'post', 'ffmpeg/remove', permission, async () => {
    await removeFfmpeg(folder);
    return look(folder, '');
  });
}

async function look(folder: string, named: string): Promise<FfmpegReport> {
  const prebuilt = prebuiltFor();
  const installed = await installedFfmpeg(folder);
  const { used, error } = await usedFfmpeg(folder, named);
  const offer = prebuilt && {
    package: `${prebuilt.name}@${prebuilt.version}`,
    built: prebuilt.built,
    commit: prebuilt.commit,
    download: prebuilt.download,
    licence: prebuilt.licence,
  };
  const installing = underWay && prebuilt ? { bytes: underWay.bytes, total: prebuilt.size } : null;
  return { used, error, offer, installed: installed !== null, installing };
}

/** As a node chooses: the one that is named, else the first on the PATH, else the one that was installed here. */
async function usedFfmpeg(folder: string, named: string): Promise<Pick<FfmpegReport, 'used' | 'error'>> {
  try {
    const { path, version } = await Ffmpeg.at(await findFfmpeg(named, folder));
    return { used: { path, version, ours: dirname(path) === folder }, error: null };
  } catch (thrown) {
    const { code, message } = asEdgeError(thrown);
    return { used: null, error: { code, message } };
  }
}

async function install(folder: string, signal: AbortSignal): Promise<void> {
  if (!underWay) {
    const state = { bytes: 0, done: Promise.resolve() as Promise<unknown> };
    underWay = state;
    const onProgress = (bytes: number) => {
      state.bytes = bytes;
    };
    state.done = installFfmpeg(folder, { signal, onProgress }).finally(() => {
      underWay = undefined;
    });
  }
  await underWay.done;
}

function textOf(body: unknown, name: string): string {
  const value = typeof body === 'object' && body !== null ? (body as Record<string, unknown>)[name] : undefined;
  return typeof value === 'string' ? value.trim() : '';
}
