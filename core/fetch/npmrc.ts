import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { EdgeError } from '../errors';

export interface Registry {
  /** With a slash at its end. */
  url: string;
  /** A bearer token for this registry's host. */
  token?: string;
}

/**
 * The registry for a package as npm would choose it: the scope's or the environment's, then .npmrc of `folder` (Node-RED's user
 * directory), then that of the home directory, then the public one. Tokens are used only for the registry they are written for.
 */
export async function registryFor(packageName: string, folder: string): Promise<Registry> {
  const settings = new Map<string, string>();
  for (const place of [homedir(), folder])
    for (const [key, value] of await settingsOf(join(place, '.npmrc'))) settings.set(key, value);
  const scope = packageName.startsWith('@') ? packageName.split('/')[0]! : undefined;
  const chosen =
    (scope ? settings.get(`${scope}:registry`) : undefined) ?? process.env.npm_config_registry ?? settings.get('registry');
  const url = chosen && URL.canParse(chosen) ? chosen.replace(/\/*$/, '/') : await publicRegistry();
  const token = settings.get(`${url.replace(/^https?:/, '')}:_authToken`);
  return token ? { url, token } : { url };
}

let asked: Promise<string> | undefined;

/**
 * The registry that npm takes where nothing is configured, as npm itself says; Node-RED installs its palettes by the same npm.
 * @throws EDGE_MODEL_DOWNLOAD where there is no npm.
 */
export function publicRegistry(): Promise<string> {
  asked ??= askNpm();
  asked.catch(() => {
    asked = undefined;
  });
  return asked;
}

async function askNpm(): Promise<string> {
  const configured = /^npm_config_/i;
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !configured.test(name)));
  // Files that do not exist, and two of them: npm refuses the same one twice.
  const nothing = ['user', 'global'].map((kind) => `--${kind}config=${join(tmpdir(), `edgeloom-no-${kind}-npmrc`)}`);
  try {
    const { stdout } = await promisify(execFile)('npm', ['config', 'get', 'registry', ...nothing], {
      cwd: tmpdir(),
      env,
      timeout: 30_000,
      // npm is a batch file there.
      shell: process.platform === 'win32',
    });
    return new URL(stdout.trim()).href;
  } catch (cause) {
    throw new EdgeError('EDGE_MODEL_DOWNLOAD', 'npm could not be asked for its registry', {
      cause,
      mend: 'Write registry=https://... into .npmrc in the Node-RED user directory',
    });
  }
}

async function settingsOf(path: string): Promise<Map<string, string>> {
  const settings = new Map<string, string>();
  const content = await readFile(path, 'utf8').catch(() => '');
  for (const line of content.split(/\r?\n/)) {
    const match = /^\s*([^#;=\s][^=]*?)\s*=\s*(.*?)\s*$/.exec(line);
    if (!match) continue;
    const value = match[2]!
      .replace(/^"(.*)"$/, '$1')
      .replace(/\$\{([^}]+)\}/g, (whole, name: string) => process.env[name] ?? whole);
    settings.set(match[1]!, value);
  }
  return settings;
}
