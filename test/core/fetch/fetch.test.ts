import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { openHttp, readAll } from '../../../core/fetch/http';
import { fileInPackage } from '../../../core/fetch/npm';
import { publicRegistry, registryFor } from '../../../core/fetch/npmrc';
import { fileInTar } from '../../../core/fetch/tar';
import { parseSource } from '../../../core/model/source';
import { itWith } from '../../support/needs';
import { startSecureServer } from '../../support/secure-server';

const LONG = `${'a-long-folder-name/'.repeat(6)}model.onnx`;
const MODEL = Buffer.from('a model, more or less '.repeat(5000));
const sha512 = (bytes: Uint8Array) => createHash('sha512').update(bytes).digest('base64');

let folder: string;
/** What npm itself packs: its own headers, its own long names. */
let tarball: Buffer;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'edgeloom-fetch-'));
  const from = join(folder, 'package');
  mkdirSync(join(from, LONG, '..'), { recursive: true });
  writeFileSync(join(from, 'package.json'), '{"name": "@models/some", "version": "1.2.3"}');
  writeFileSync(join(from, 'model.onnx'), MODEL);
  writeFileSync(join(from, LONG), 'the one with the long name');
  execFileSync('npm', ['pack', '--silent', '--offline', '--pack-destination', folder], { cwd: from });
  tarball = readFileSync(join(folder, readdirSync(folder).find((name) => name.endsWith('.tgz'))!));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function* inChunks(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}

describe('one file out of a tarball', () => {
  it.each([1, 511, 512, 70_000])('comes out whole when the stream comes in pieces of %i bytes', async (size) => {
    const tar = gunzipSync(tarball);
    expect((await collect(fileInTar(inChunks(tar, size), 'model.onnx', 'a'))).equals(MODEL)).toBe(true);
    expect((await collect(fileInTar(inChunks(tar, size), LONG, 'a'))).toString()).toBe('the one with the long name');
  });

  it('is named when it is not there', async () => {
    const reading = collect(fileInTar(inChunks(gunzipSync(tarball), 4096), 'other.onnx', 'some@1.2.3'));
    await expect(reading).rejects.toMatchObject({ code: 'EDGE_MODEL_NOT_FOUND', message: expect.stringContaining('other.onnx') });
  });

  it('is not taken from a damaged or truncated archive', async () => {
    const tar = gunzipSync(tarball);
    const damaged = Buffer.from(tar);
    damaged[3]! ^= 1;
    for (const broken of [damaged, tar.subarray(0, 700), tar.subarray(0, 300), Buffer.alloc(512, 7)]) {
      await expect(collect(fileInTar(inChunks(broken, 512), 'model.onnx', 'a'))).rejects.toMatchObject({
        code: expect.stringMatching(/EDGE_MODEL_(DOWNLOAD|NOT_FOUND)/),
      });
    }
  });
});

describe('https', () => {
  let server: Awaited<ReturnType<typeof startSecureServer>>;
  const answers: Record<string, (request: IncomingMessage, response: ServerResponse) => void> = {
    '/model.onnx': (_request, response) => response.end(MODEL),
    '/moved': (_request, response) => response.writeHead(302, { location: '/model.onnx' }).end(),
    '/plain': (_request, response) => response.writeHead(302, { location: 'http://localhost:1/model.onnx' }).end(),
    '/loop': (_request, response) => response.writeHead(302, { location: '/loop' }).end(),
    '/nowhere': (_request, response) => response.writeHead(302, { location: 'https://' }).end(),
    '/busy': (_request, response) => response.writeHead(503).end(),
    '/cut': (_request, response) => {
      response.writeHead(200, { 'content-length': MODEL.length });
      response.write(MODEL.subarray(0, 1000), () => response.destroy());
    },
    '/endless': (_request, response) => {
      const more = () => response.write(MODEL, (error) => (error ? undefined : setImmediate(more)));
      more();
    },
    '/silent': () => {},
  };
  beforeAll(async () => {
    server = await startSecureServer((request, response) => {
      const answer = answers[request.url ?? ''];
      if (answer) answer(request, response);
      else response.writeHead(404).end();
    });
  });
  afterAll(() => server.close());
  const read = async (path: string, limit = 1e6) => readAll(await openHttp(`${server.url}${path}`, { limit }));
  const failing = { code: 'EDGE_MODEL_DOWNLOAD' };

  it('brings the bytes, through redirects as well', async () => {
    expect((await read('/model.onnx')).equals(MODEL)).toBe(true);
    expect((await read('/moved')).equals(MODEL)).toBe(true);
  });

  it.each([
    ['/missing', /answered 404/],
    ['/busy', /answered 503/],
    ['/plain', /was led to http, which is not followed/],
    ['/loop', /redirects more than 5 times/],
    ['/nowhere', /not an address/],
    ['/cut', /broke off after 1000 bytes/],
  ])('fails with one sentence at %s', async (path, sentence) => {
    await expect(read(path)).rejects.toMatchObject({ ...failing, message: expect.stringMatching(sentence) });
  });

  it('stops at the limit, announced or not', async () => {
    await expect(read('/model.onnx', 100)).rejects.toMatchObject({
      ...failing,
      message: expect.stringMatching(/announces|sends more/),
    });
    await expect(read('/endless')).rejects.toMatchObject({
      ...failing,
      message: expect.stringMatching(/sends more than 1000000/),
    });
  });

  it('can be called off', async () => {
    const signal = AbortSignal.timeout(100);
    await expect(openHttp(`${server.url}/silent`, { limit: 1e6, signal })).rejects.toMatchObject(failing);
  });

  it('fails where nobody listens', async () => {
    await expect(openHttp('https://localhost:1/model.onnx', { limit: 1e6 })).rejects.toMatchObject({
      ...failing,
      retryAfter: 60_000,
    });
  });

  it('does not trust a certificate that nobody vouches for', async () => {
    const { globalAgent } = await import('node:https');
    const trusted = globalAgent.options.ca;
    delete globalAgent.options.ca;
    globalAgent.destroy();
    try {
      await expect(read('/model.onnx')).rejects.toMatchObject({ ...failing, message: expect.stringMatching(/certificate/) });
    } finally {
      if (trusted !== undefined) globalAgent.options.ca = trusted;
    }
  });
});

describe('a file of an npm package', () => {
  let registry: Server;
  let url: string;
  let packument: unknown;
  let served: Buffer;
  let authorizations: (string | undefined)[];
  const environment = process.env.npm_config_registry;

  beforeAll(async () => {
    registry = createServer((request, response) => {
      authorizations.push(request.headers.authorization);
      if (request.url === '/npm/@models%2fsome') response.end(JSON.stringify(packument));
      else if (request.url?.endsWith('.tgz')) response.end(served);
      else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(registry.address() as AddressInfo).port}/npm/`;
    process.env.npm_config_registry = url;
  });
  afterAll(() => {
    if (environment === undefined) delete process.env.npm_config_registry;
    else process.env.npm_config_registry = environment;
    registry.closeAllConnections();
    registry.close();
  });
  beforeEach(() => {
    authorizations = [];
    served = tarball;
    packument = {
      versions: { '1.2.3': { dist: { tarball: `${url}@models/some/-/some-1.2.3.tgz`, integrity: `sha512-${sha512(tarball)}` } } },
    };
  });

  const source = (text: string) => parseSource(text) as Extract<ReturnType<typeof parseSource>, { kind: 'npm' }>;
  const fetched = (text = 'npm:@models/some@1.2.3/model.onnx') => collect(fileInPackage(source(text), folder));

  it('comes from the configured registry without installing anything', async () => {
    expect((await fetched()).equals(MODEL)).toBe(true);
    expect((await fetched(`npm:@models/some@1.2.3/${LONG}`)).toString()).toBe('the one with the long name');
  });

  it('is asked of the mirror where the mirror hands on the public addresses', async () => {
    const dist = {
      tarball: `${await publicRegistry()}@models/some/-/some-1.2.3.tgz`,
      integrity: `sha512-${sha512(tarball)}`,
    };
    packument = { versions: { '1.2.3': { dist } } };
    expect((await fetched()).equals(MODEL)).toBe(true);
  });

  it('is refused when the tarball is not the one that the registry vouched for', async () => {
    served = gzipSync(gunzipSync(tarball), { level: 1 });
    await expect(fetched()).rejects.toMatchObject({ code: 'EDGE_MODEL_HASH' });
  });

  it('is refused when the tarball is damaged or not one at all', async () => {
    for (const broken of [tarball.subarray(0, tarball.length / 2), Buffer.from('hello'), Buffer.alloc(0)]) {
      served = Buffer.from(broken);
      await expect(fetched()).rejects.toMatchObject({ code: expect.stringMatching(/^EDGE_MODEL_(DOWNLOAD|NOT_FOUND)$/) });
    }
  });

  it('is refused without a SHA-512 to check against, unless the file itself has a hash', async () => {
    packument = { versions: { '1.2.3': { dist: { tarball: `${url}a.tgz`, shasum: 'abc' } } } };
    await expect(fetched()).rejects.toMatchObject({ code: 'EDGE_MODEL_SOURCE' });
    expect((await fetched(`npm:@models/some@1.2.3/model.onnx#sha256=${'0'.repeat(64)}`)).equals(MODEL)).toBe(true);
  });

  it.each([
    ['another version', 'npm:@models/some@9.9.9/model.onnx', 'EDGE_MODEL_NOT_FOUND'],
    ['a version named like an object property', 'npm:@models/some@1.2.3-toString/model.onnx', 'EDGE_MODEL_NOT_FOUND'],
    ['another package', 'npm:nothing@1.0.0/model.onnx', 'EDGE_MODEL_DOWNLOAD'],
    ['another file', 'npm:@models/some@1.2.3/nothing.onnx', 'EDGE_MODEL_NOT_FOUND'],
  ])('is named when there is none: %s', async (_name, text, code) => {
    await expect(fetched(text)).rejects.toMatchObject({ code });
  });

  it('is refused when the registry answers nonsense', async () => {
    for (const nonsense of ['text', 5, null, { versions: { '1.2.3': { dist: { tarball: 'nowhere' } } } }]) {
      packument = nonsense;
      await expect(fetched()).rejects.toMatchObject({ code: expect.stringMatching(/^EDGE_MODEL_(DOWNLOAD|NOT_FOUND)$/) });
    }
  });

  it("carries a registry's token to that registry and nowhere else", async () => {
    const user = mkdtempSync(join(tmpdir(), 'edgeloom-npmrc-'));
    process.env.EDGELOOM_TEST_TOKEN = 'secret';
    writeFileSync(join(user, '.npmrc'), `; a comment\n${url.replace('http:', '')}:_authToken = "\${EDGELOOM_TEST_TOKEN}"\n`);
    try {
      await collect(fileInPackage(source('npm:@models/some@1.2.3/model.onnx'), user));
      expect(authorizations).toEqual(['Bearer secret', 'Bearer secret']);
      authorizations = [];
      const elsewhere = `${url.replace('127.0.0.1', 'localhost')}some-1.2.3.tgz`;
      packument = { versions: { '1.2.3': { dist: { tarball: elsewhere, integrity: `sha512-${sha512(tarball)}` } } } };
      await collect(fileInPackage(source('npm:@models/some@1.2.3/model.onnx'), user)).catch(() => {});
      expect(authorizations[0]).toBe('Bearer secret');
      expect(authorizations[1]).toBeUndefined();
    } finally {
      rmSync(user, { recursive: true, force: true });
      delete process.env.EDGELOOM_TEST_TOKEN;
    }
  });

  it("asks a scope's own registry for its packages", async () => {
    const user = mkdtempSync(join(tmpdir(), 'edgeloom-npmrc-'));
    writeFileSync(join(user, '.npmrc'), '@models:registry=https://models.example.org/npm\nregistry=https://other.example.org/\n');
    try {
      expect(await registryFor('@models/some', user)).toEqual({ url: 'https://models.example.org/npm/' });
      expect((await registryFor('some', user)).url).toBe(url);
    } finally {
      rmSync(user, { recursive: true, force: true });
    }
  });
});

itWith(['registry'], 'a file of a real package comes from the real registry', async () => {
  const source = parseSource('npm:is-number@7.0.0/package.json') as Extract<ReturnType<typeof parseSource>, { kind: 'npm' }>;
  expect(JSON.parse((await collect(fileInPackage(source, tmpdir()))).toString())).toMatchObject({
    name: 'is-number',
    version: '7.0.0',
  });
});
