import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installedFfmpeg, installFfmpeg, licenceText, removeFfmpeg } from '../../../../core/media/ffmpeg/install';
import { PREBUILT, type Prebuilt, prebuiltFor } from '../../../../core/media/ffmpeg/prebuilt';
import { itWith } from '../../../support/needs';

/** A package as the real one is, with a program that says what FFmpeg says. */
function packageWith(folder: string, program: string): Buffer {
  const from = mkdtempSync(join(folder, 'package-'));
  writeFileSync(join(from, 'package.json'), '{"name": "@some/ffmpeg", "version": "4.1.0"}');
  writeFileSync(join(from, 'ffmpeg'), program, { mode: 0o755 });
  execFileSync('npm', ['pack', '--silent', '--offline', '--pack-destination', from], { cwd: from });
  return readFileSync(join(from, readdirSync(from).find((name) => name.endsWith('.tgz'))!));
}

const GOOD = '#!/bin/sh\necho "ffmpeg version N-1-test Copyright"\necho "libavformat    58. 24.101 / 58. 24.101"\n';

describe('an FFmpeg that the user asked for', () => {
  let temporary: string;
  let folder: string;
  let registry: Server;
  let served: Buffer;
  let cut = false;
  let prebuilt: Prebuilt;
  const environment = process.env.npm_config_registry;

  const serve = (tarball: Buffer) => {
    served = tarball;
    prebuilt = {
      ...PREBUILT['linux-x64']!,
      name: '@some/ffmpeg',
      sha512: createHash('sha512').update(tarball).digest('base64'),
      size: 1000,
    };
  };
  const left = () => readdirSync(folder).sort();

  beforeAll(async () => {
    temporary = mkdtempSync(join(tmpdir(), 'edgeloom-ffmpeg-'));
    registry = createServer((request, response) => {
      const { port } = registry.address() as AddressInfo;
      const tarball = `http://127.0.0.1:${port}/ffmpeg-4.1.0.tgz`;
      // What the registry states of the tarball is not asked for: the palette knows its hash.
      if (!request.url?.endsWith('.tgz')) response.end(JSON.stringify({ versions: { '4.1.0': { dist: { tarball } } } }));
      else if (cut) {
        response.writeHead(200, { 'content-length': served.length });
        response.write(served.subarray(0, served.length / 2), () => response.destroy());
      } else response.end(served);
    });
    await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
  });
  afterAll(async () => {
    if (environment === undefined) delete process.env.npm_config_registry;
    else process.env.npm_config_registry = environment;
    registry.closeAllConnections();
    await new Promise((resolve) => registry.close(resolve));
    rmSync(temporary, { recursive: true, force: true });
  });
  beforeEach(() => {
    process.env.npm_config_registry = `http://127.0.0.1:${(registry.address() as AddressInfo).port}/`;
    cut = false;
    folder = join(mkdtempSync(join(temporary, 'user-')), 'edgeloom', 'ffmpeg');
    mkdirSync(folder, { recursive: true });
    serve(packageWith(temporary, GOOD));
  });

  it('lies in a folder of its version, can be run, and has its licence beside it', async () => {
    const progress: number[] = [];
    const installed = await installFfmpeg(folder, { prebuilt, onProgress: (bytes) => progress.push(bytes) });
    expect(installed).toMatchObject({ path: join(folder, 'ffmpeg'), version: 'N-1-test' });
    expect(realpathSync(installed.path)).toBe(realpathSync(join(folder, '4.1.0', 'ffmpeg')));
    accessSync(installed.path, constants.X_OK);
    expect(left()).toEqual(['4.1.0', 'ffmpeg']);
    expect(readFileSync(join(folder, '4.1.0', 'LICENSE.txt'), 'utf8')).toMatch(/GNU GENERAL PUBLIC LICENSE\s+Version 3/);
    expect(readFileSync(join(folder, '4.1.0', 'README.txt'), 'utf8')).toContain('git.ffmpeg.org');
    expect(progress.at(-1)).toBe(GOOD.length);
    expect(await installedFfmpeg(folder, prebuilt)).toMatchObject({ version: 'N-1-test' });
  });

  it('is put in the place of one that was there, and taken away whole', async () => {
    await installFfmpeg(folder, { prebuilt });
    serve(packageWith(temporary, GOOD.replace('N-1', 'N-2')));
    expect(await installFfmpeg(folder, { prebuilt })).toMatchObject({ version: 'N-2-test' });
    writeFileSync(join(folder, 'a note of the user'), '');
    await removeFfmpeg(folder);
    expect(left()).toEqual(['a note of the user']);
    expect(await installedFfmpeg(folder, prebuilt)).toBeNull();
    await removeFfmpeg(folder);
  });

  it('is taken away without what its link leads to, when that is not ours', async () => {
    const other = mkdtempSync(join(temporary, 'other-'));
    writeFileSync(join(other, 'ffmpeg'), GOOD, { mode: 0o755 });
    symlinkSync(join(other, 'ffmpeg'), join(folder, 'ffmpeg'));
    await removeFfmpeg(folder);
    expect(left()).toEqual([]);
    expect(readdirSync(other)).toEqual(['ffmpeg']);
  });

  it.each([
    ['is not the one that was tested', () => Object.assign(prebuilt, { sha512: 'AAAA' }), /is not the one that was tested/],
    ['does not come whole', () => (cut = true), /is damaged|broke off/],
    ['is larger than it was', () => Object.assign(prebuilt, { size: 10 }), /more came than was expected/],
    ['is not in the package', () => Object.assign(prebuilt, { path: 'bin/ffmpeg' }), /no file bin\/ffmpeg/],
    ['does not run here', () => serve(packageWith(temporary, '#!/bin/sh\nexit 3\n')), /Command failed/],
    ['is something else', () => serve(packageWith(temporary, '#!/bin/sh\necho hello\n')), /does not say that it is FFmpeg/],
  ])('that %s leaves nothing behind', async (_what, spoil, sentence) => {
    spoil();
    const failing = { code: 'EDGE_FFMPEG_INSTALL', message: expect.stringMatching(sentence) };
    await expect(installFfmpeg(folder, { prebuilt })).rejects.toMatchObject(failing);
    expect(left()).toEqual([]);
  });

  it('does not touch the one that is there when it cannot be fetched', async () => {
    await installFfmpeg(folder, { prebuilt });
    process.env.npm_config_registry = 'http://127.0.0.1:1/';
    await expect(installFfmpeg(folder, { prebuilt })).rejects.toMatchObject({
      code: 'EDGE_FFMPEG_INSTALL',
      message: expect.stringMatching(/^FFmpeg could not be installed: http:\/\/127\.0\.0\.1:1\/.* did not answer/),
    });
    expect(await installedFfmpeg(folder, prebuilt)).toMatchObject({ version: 'N-1-test' });
  });

  it('is not fetched on when nobody wants it any more', async () => {
    const called = AbortSignal.abort();
    await expect(installFfmpeg(folder, { prebuilt, signal: called })).rejects.toMatchObject({ code: 'EDGE_FFMPEG_INSTALL' });
    expect(left()).toEqual([]);
  });

  it('is said not to be there for a machine without one', async () => {
    expect(prebuiltFor('win32', 'x64')).toBeNull();
    expect(prebuiltFor('toString', '')).toBeNull();
    await expect(installFfmpeg(folder, { prebuilt: null })).rejects.toMatchObject({ code: 'EDGE_FFMPEG_INSTALL' });
  });
});

describe('the builds that are offered', () => {
  it.each(Object.entries(PREBUILT))('%s is pinned by its hash and has its licence here', async (_key, prebuilt) => {
    expect(Buffer.from(prebuilt.sha512, 'base64')).toHaveLength(64);
    expect(await licenceText(prebuilt)).toMatch(/GNU GENERAL PUBLIC LICENSE\s+Version 3, 29 June 2007/);
  });

  const here = prebuiltFor();
  itWith(
    ['registry'],
    'the one for this machine comes from the registry and decodes',
    async () => {
      if (!here) return;
      const user = mkdtempSync(join(tmpdir(), 'edgeloom-ffmpeg-real-'));
      try {
        const { path, version } = await installFfmpeg(join(user, 'edgeloom', 'ffmpeg'), { prebuilt: here });
        expect(version).toMatch(/^N-\d+-g[0-9a-f]+-static$/);
        const picture = execFileSync(path, [
          ...['-v', 'error', '-f', 'lavfi', '-i', 'color=red:size=16x16:rate=1'],
          ...['-frames:v', '1', '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-'],
        ]);
        expect(picture).toHaveLength(16 * 16 * 3);
        expect(picture[0]).toBeGreaterThan(240);
      } finally {
        rmSync(user, { recursive: true, force: true });
      }
    },
    180_000,
  );
});
