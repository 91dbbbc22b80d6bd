import { constants } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { EdgeError } from '../../errors';

/**
 * The FFmpeg to use: the one that was named, else the first on the PATH, else one that the user had put into `folder`. None is
 * shipped: its licence is the user's choice.
 * @throws EDGE_FFMPEG_MISSING with the command that installs it on this system
 */
export async function findFfmpeg(named = '', folder = ''): Promise<string> {
  const program = process.platform === 'win32' ? 'ffmpeg.exe' : 'ffmpeg';
  const folders = [...(process.env.PATH ?? '').split(delimiter), folder].filter(Boolean);
  const candidates = named ? [named] : folders.map((each) => join(each, program));
  for (const candidate of candidates) {
    const usable = await access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (usable) return candidate;
  }
  throw new EdgeError('EDGE_FFMPEG_MISSING', named ? `no program at ${named}` : 'none on the PATH', {
    mend: await installHint(),
  });
}

async function installHint(): Promise<string> {
  if (process.platform === 'darwin') return 'Run: brew install ffmpeg';
  if (process.platform === 'win32') return 'Run: winget install ffmpeg';
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const family = /^(?:ID|ID_LIKE)=.*$/gm;
  const names = (release.match(family) ?? []).join(' ');
  if (/alpine/.test(names)) return 'Run: apk add ffmpeg';
  if (/fedora|rhel/.test(names)) return 'Run: sudo dnf install ffmpeg';
  if (/arch/.test(names)) return 'Run: sudo pacman -S ffmpeg';
  if (/suse/.test(names)) return 'Run: sudo zypper install ffmpeg';
  return 'Run: sudo apt-get install ffmpeg';
}
