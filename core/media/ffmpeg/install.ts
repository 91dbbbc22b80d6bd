import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, readlink, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { asEdgeError, EdgeError, ERRORS } from '../../errors';
import type { FetchCodes } from '../../fetch/codes';
import { fileInPackage } from '../../fetch/npm';
import { type Prebuilt, prebuiltFor } from './prebuilt';
import { Ffmpeg } from './program';

/** An FFmpeg that the user had installed from the dialog. */
export interface InstalledFfmpeg {
  path: string;
  /** As it calls itself. */
  version: string;
  prebuilt: Prebuilt;
}

export interface InstallOptions {
  /** Called with the bytes written so far. */
  onProgress?: (bytes: number) => void;
  signal?: AbortSignal;
  prebuilt?: Prebuilt | null;
}

const CODES: FetchCodes = { failed: 'EDGE_FFMPEG_INSTALL', differs: 'EDGE_FFMPEG_INSTALL', absent: 'EDGE_FFMPEG_INSTALL' };
const PROGRAM = 'ffmpeg';
/** A folder of a download under way, or of one that a power cut ended. */
const PARTIAL = '.partial';

/** The text of the licence under which the build comes; shown before it is fetched, and kept beside it. */
export function licenceText({ licence }: Prebuilt): Promise<string> {
  return readFile(join(__dirname, 'licences', `${licence}.txt`), 'utf8');
}

/**
 * Put a prebuilt FFmpeg into `<folder>/<version>/`, its licence beside it, and a link `<folder>/ffmpeg` to it. Only ever called
 * because a user, shown the licence, said so. The tarball is the very one that was tested, by its hash; nothing of the package is
 * run but the program, once, to see that it works here.
 * @param folder `<userDir>/edgeloom/ffmpeg`: the .npmrc of the user directory says which registry is asked.
 * @throws EDGE_FFMPEG_INSTALL; nothing is left behind then.
 */
export async function installFfmpeg(folder: string, options: InstallOptions = {}): Promise<InstalledFfmpeg> {
  const { prebuilt = prebuiltFor(), signal, onProgress = () => {} } = options;
  if (!prebuilt) {
    throw new EdgeError('EDGE_FFMPEG_INSTALL', `there is no ready-made one for ${process.platform} on ${process.arch}`);
  }
  const partial = join(folder, `${prebuilt.version}-${randomBytes(4).toString('hex')}${PARTIAL}`);
  try {
    await removePartial(folder);
    await mkdir(partial, { recursive: true });
    await fetchProgram(prebuilt, join(partial, PROGRAM), folder, onProgress, signal);
    await writeFile(join(partial, 'LICENSE.txt'), await licenceText(prebuilt));
    await writeFile(join(partial, 'README.txt'), readMe(prebuilt));
    const { version } = await Ffmpeg.at(join(partial, PROGRAM));
    signal?.throwIfAborted();
    const place = join(folder, prebuilt.version);
    await rm(place, { recursive: true, force: true });
    await rename(partial, place);
    await pointTo(folder, join(prebuilt.version, PROGRAM));
    return { path: join(folder, PROGRAM), version, prebuilt };
  } catch (thrown) {
    await rm(partial, { recursive: true, force: true }).catch(() => {});
    const error = asEdgeError(thrown, 'EDGE_FFMPEG_INSTALL');
    if (error.code === 'EDGE_FFMPEG_INSTALL') throw error;
    throw new EdgeError('EDGE_FFMPEG_INSTALL', error.message.replace(`${ERRORS[error.code]}: `, ''), { cause: error });
  }
}

/** What was installed into the folder; null where nothing was, or where it does not run any more. */
export async function installedFfmpeg(
  folder: string,
  prebuilt: Prebuilt | null = prebuiltFor(),
): Promise<InstalledFfmpeg | null> {
  const path = join(folder, PROGRAM);
  if (!prebuilt || !(await stat(path).catch(() => null))) return null;
  const ffmpeg = await Ffmpeg.at(path).catch(() => null);
  return ffmpeg && { path, version: ffmpeg.version, prebuilt };
}

/** Take away everything that was installed into the folder; what is not ours in it stays. */
export async function removeFfmpeg(folder: string): Promise<void> {
  try {
    const target = await readlink(join(folder, PROGRAM)).catch(() => null);
    await removePartial(folder);
    if (target === null) return;
    await rm(join(folder, PROGRAM), { force: true });
    const version = dirname(target);
    // The link is ours and leads one folder down; one that somebody made to another place is only taken away itself.
    if (/^[\d.]+$/.test(version)) await rm(join(folder, version), { recursive: true, force: true });
  } catch (cause) {
    throw new EdgeError('EDGE_FFMPEG_INSTALL', `it could not be removed (${(cause as Error).message})`, { cause });
  }
}

async function fetchProgram(
  prebuilt: Prebuilt,
  path: string,
  folder: string,
  onProgress: (bytes: number) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  // Two folders up is Node-RED's user directory, which may hold an .npmrc.
  const bytes = fileInPackage(prebuilt, dirname(dirname(folder)), signal, CODES);
  const file = await open(path, 'wx', 0o755);
  try {
    let size = 0;
    for await (const chunk of bytes) {
      size += chunk.byteLength;
      if (size > prebuilt.size) throw new EdgeError('EDGE_FFMPEG_INSTALL', 'more came than was expected');
      await file.writeFile(chunk);
      onProgress(size);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A link that is there at every moment, old or new. */
async function pointTo(folder: string, target: string): Promise<void> {
  const made = join(folder, `${PROGRAM}-${randomBytes(4).toString('hex')}${PARTIAL}`);
  await symlink(target, made);
  await rename(made, join(folder, PROGRAM));
}

async function removePartial(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names.filter((each) => each.endsWith(PARTIAL))) {
    await rm(join(folder, name), { recursive: true, force: true });
  }
}

function readMe({ name, version, commit, built }: Prebuilt): string {
  return `FFmpeg for Linux, a static program built by John Van Sickle (https://www.johnvansickle.com/ffmpeg/) on ${built} from
commit ${commit} of https://git.ffmpeg.org/ffmpeg.git, where its sources are. Fetched from the npm package ${name}@${version}.
It is licensed under the GNU General Public License, version 3: see LICENSE.txt.
Installed from the Edgeloom palette because a user of it agreed to that licence; "Remove" in the dialog takes it away again.
`;
}
