import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

export interface Registry {
  /** With a slash at its end. */
  url: string;
  /** A bearer token for this registry's host. */
  token?: string;
}

const DEFAULT_REGISTRY = 'https://registry.npmjs.org/';

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
    (scope ? settings.get(`${scope}:registry`) : undefined) ??
    process.env.npm_config_registry ??
    settings.get('registry') ??
    DEFAULT_REGISTRY;
  const url = URL.canParse(chosen) ? chosen.replace(/\/*$/, '/') : DEFAULT_REGISTRY;
  const token = settings.get(`${url.replace(/^https?:/, '')}:_authToken`);
  return token ? { url, token } : { url };
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
