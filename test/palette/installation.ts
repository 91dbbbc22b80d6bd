import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from '../support/needs';

const run = promisify(execFile);

/** The palette as a user gets it: its tarball, installed by npm into an empty user directory. */
export class Installation {
  private constructor(private readonly folder: string) {}

  static async make(options: { omit?: 'optional' } = {}): Promise<Installation> {
    const folder = mkdtempSync(join(tmpdir(), 'edgeloom-palette-'));
    const installation = new Installation(folder);
    try {
      await installation.npm(ROOT, ['pack', '--ignore-scripts', '--pack-destination', folder]);
      const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'));
      mkdirSync(installation.userDir);
      writeFileSync(join(installation.userDir, 'package.json'), JSON.stringify({ name: 'node-red-project', version: '0.0.1' }));
      const omit = options.omit ? [`--omit=${options.omit}`] : [];
      await installation.npm(installation.userDir, ['install', ...omit, join(folder, tarball ?? '')]);
    } catch (error) {
      installation.remove();
      throw error;
    }
    return installation;
  }

  get userDir(): string {
    return join(this.folder, 'user');
  }

  /** A user's own, not the settings of the npm that runs these tests, but for where packages come from. */
  get environment(): NodeJS.ProcessEnv {
    const kept = Object.entries(process.env).filter(([name]) => !/^npm_(?!config_(registry|cache|userconfig)$)/i.test(name));
    // `npm test` puts the packages' own programs first, and one of them is an older npm.
    const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => !folder.endsWith(join('node_modules', '.bin')));
    return {
      ...Object.fromEntries(kept),
      PATH: folders.join(delimiter),
      // The CUDA libraries that onnxruntime-node's install script would fetch are not what is tested here.
      ONNXRUNTIME_NODE_INSTALL: 'skip',
      npm_config_audit: 'false',
      npm_config_fund: 'false',
      npm_config_prefer_offline: 'true',
    };
  }

  /** Another user directory with the same packages, as hard links. */
  async copy(name: string): Promise<string> {
    const userDir = join(this.folder, name);
    await run('cp', ['-al', join(this.userDir, 'node_modules'), `${userDir}-modules`]);
    mkdirSync(userDir);
    await run('mv', [`${userDir}-modules`, join(userDir, 'node_modules')]);
    await run('cp', [join(this.userDir, 'package.json'), userDir]);
    return userDir;
  }

  /** Megabytes of every installed package, largest first. */
  async sizes(): Promise<{ name: string; mb: number }[]> {
    const modules = join(this.userDir, 'node_modules');
    const packages = readdirSync(modules)
      .filter((name) => !name.startsWith('.'))
      .flatMap((name) => (name.startsWith('@') ? readdirSync(join(modules, name)).map((inner) => `${name}/${inner}`) : [name]));
    return (await measured(modules, packages)).sort((a, b) => b.mb - a.mb);
  }

  /** Megabytes of the inference runtime's libraries for every platform that its tarball carries. */
  async runtimeSizes(): Promise<{ platform: string; mb: number }[]> {
    const libraries = join(this.userDir, 'node_modules', 'onnxruntime-node', 'bin', 'napi-v6');
    const platforms = readdirSync(libraries).flatMap((os) => readdirSync(join(libraries, os)).map((arch) => `${os}/${arch}`));
    return (await measured(libraries, platforms)).map(({ name, mb }) => ({ platform: name, mb }));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async npm(cwd: string, args: string[]): Promise<void> {
    await run('npm', [...args, '--loglevel=error'], { cwd, env: this.environment, maxBuffer: 16e6 });
  }
}

/** Megabytes (10^6 bytes) of each folder. */
async function measured(parent: string, folders: string[]): Promise<{ name: string; mb: number }[]> {
  const { stdout } = await run('du', ['-sk', '--apparent-size', ...folders], { cwd: parent });
  const lines = stdout.trim().split('\n');
  return lines.map((line) => line.split('\t')).map(([kib = '0', name = '']) => ({ name, mb: (Number(kib) * 1024) / 1e6 }));
}
