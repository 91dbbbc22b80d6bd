import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, relative, resolve } from 'node:path';
import { asEdgeError, EdgeError } from '../errors';
import { openHttp } from '../fetch/http';
import { fileInPackage } from '../fetch/npm';
import { catalogueEntry } from './catalogue';
import { completeManifest, type GraphFacts, type HeadTable, type Inference, infer } from './infer';
import type { PartialManifest, ResolvedModel } from './manifest';
import { fileInMirror } from './mirror';
import { readMetadata } from './onnx/graph-thread';
import { parsePartialManifest } from './parse-manifest';
import { type ModelSource, parseSource, showSource } from './source';
import { type ModelStore, type StoredModel, sha256OfFile } from './store';

/** Where files that ship inside this package lie. */
const PACKAGE_MODELS = join(__dirname, '..', '..', 'models');
/** Largest model file in bytes: ONNX Runtime's own bound for a model in one file is 2 GiB. */
const MOST_BYTES = 2 ** 31 - 1;

export type ManifestOverrides = PartialManifest;

export interface ResolveOptions {
  store: ModelStore;
  /** What a user said in a dialog; it overrules the model's own words. */
  manifest?: ManifestOverrides;
  /** Recognises a family by the graph's signature; core/task fills it in with the heads it knows. */
  heads?: HeadTable;
  signal?: AbortSignal;
  /** Bytes fetched so far, and of how many where the server says. */
  onProgress?: (bytes: number, total?: number) => void;
}

/** What is known of a model, whether or not it is enough to run it: what a dialog shows and asks for. */
export interface Inspection extends Inference {
  path: string;
  sha256: string;
  /** Bytes. */
  size: number;
  graph: GraphFacts;
  /** Of this machine, in which the model and its golden samples lie; absent where the model is one fetched file. */
  folder?: string;
}

/**
 * A model by its source, fetched if need be, its hash checked, with a complete manifest: what the user said, then what its
 * `model.json` or catalogue entry says, then what the file tells.
 * @throws EDGE_MODEL_* and EDGE_STORE_WRITE; EDGE_MODEL_INCOMPLETE names what is still to be said.
 */
export async function resolveModel(source: string, options: ResolveOptions): Promise<ResolvedModel> {
  const inspection = await inspectModel(source, options);
  const shown = showSource(parseSource(source));
  const name = basename(inspection.manifest.source ?? shown, extname(shown)) || 'model';
  const manifest = completeManifest(inspection, { id: idFrom(name), title: name.slice(0, 120), source: shown });
  const { path, sha256, folder } = inspection;
  return { manifest, path, sha256, storeFolder: options.store.folder, ...(folder === undefined ? {} : { folder }) };
}

/** As resolveModel, for a model that may not say everything. */
export async function inspectModel(source: string, options: ResolveOptions): Promise<Inspection> {
  const found = await locate(parseSource(source), options);
  const said = merge(found.manifest, options.manifest);
  const graph = await readMetadata(found.path);
  const { path, sha256, size, folder } = found;
  const inference = infer({ ...said, sha256, size }, graph, options.heads);
  return { ...inference, path, sha256, size, graph, ...(folder === undefined ? {} : { folder }) };
}

interface Located {
  path: string;
  sha256: string;
  size: number;
  manifest: PartialManifest;
  folder?: string;
}

type LocateOptions = ResolveOptions & { expectedSize?: number };

async function locate(source: ModelSource, options: LocateOptions): Promise<Located> {
  if (source.kind === 'catalogue') {
    const entry = catalogueEntry(source.id);
    const target = parseSource(entry.source);
    const found = await locate(entry.sha256 ? withHash(target, entry.sha256) : target, {
      ...options,
      ...(entry.size === undefined ? {} : { expectedSize: entry.size }),
    });
    if (entry.sha256 !== undefined && found.sha256 !== entry.sha256) {
      throw new EdgeError('EDGE_MODEL_HASH', `${showSource(source)}: expected ${entry.sha256}, got ${found.sha256}`);
    }
    return { ...found, manifest: entry };
  }
  if (source.kind === 'package') return located(join(PACKAGE_MODELS, source.path), {}, PACKAGE_MODELS);
  if (source.kind === 'path') return locateOnDisk(source.path);
  return { ...(await fetchOnce(source, options)), manifest: {} };
}

function withHash(source: ModelSource, sha256: string): ModelSource {
  return source.kind === 'https' || source.kind === 'npm' ? { ...source, sha256 } : source;
}

/** A file, with the manifest of the same stem beside it; or a folder with model.json and the one model that it names or holds. */
async function locateOnDisk(path: string): Promise<Located> {
  const found = await stat(path).catch((cause) => {
    throw new EdgeError('EDGE_MODEL_NOT_FOUND', path, { cause });
  });
  if (!found.isDirectory()) {
    const beside = path.slice(0, path.length - extname(path).length);
    return located(path, await readManifest(`${beside}.json`), dirname(path));
  }
  const manifest = await readManifest(join(path, 'model.json'));
  if (manifest.source !== undefined && !manifest.source.includes(':')) {
    const file = resolve(path, manifest.source);
    if (relative(resolve(path), file).startsWith('..')) {
      throw new EdgeError('EDGE_MODEL_MANIFEST', `${join(path, 'model.json')}: source leads out of its folder`);
    }
    return located(file, manifest, path);
  }
  const models = (await readdir(path)).filter((name) => name.toLowerCase().endsWith('.onnx'));
  if (models.length !== 1) {
    throw new EdgeError('EDGE_MODEL_NOT_FOUND', `${path} holds ${models.length} .onnx files`, {
      mend: 'Name the file itself, or name it as "source" in model.json',
    });
  }
  return located(join(path, models[0]!), manifest, path);
}

async function located(path: string, manifest: PartialManifest, folder: string): Promise<Located> {
  const found = await stat(path).catch(() => null);
  if (!found?.isFile()) throw new EdgeError('EDGE_MODEL_NOT_FOUND', path);
  if (found.size === 0) throw new EdgeError('EDGE_MODEL_INVALID', `${path} is empty`);
  if (found.size > MOST_BYTES) throw new EdgeError('EDGE_MODEL_UNSUPPORTED', `${path} has more than 2 GiB`);
  const sha256 = await sha256OfFile(path).catch((cause) => {
    throw new EdgeError('EDGE_MODEL_NOT_FOUND', path, { cause });
  });
  if (manifest.sha256 !== undefined && manifest.sha256 !== sha256) {
    throw new EdgeError('EDGE_MODEL_HASH', `${path}: its manifest says ${manifest.sha256}, it is ${sha256}`);
  }
  return { path, sha256, size: found.size, manifest, folder };
}

async function readManifest(path: string): Promise<PartialManifest> {
  let text: string;
  try {
    if ((await stat(path)).size > 4 * 2 ** 20) throw new EdgeError('EDGE_MODEL_MANIFEST', `${path} is longer than 4 MiB`);
    text = await readFile(path, 'utf8');
  } catch (thrown) {
    if (thrown instanceof EdgeError) throw thrown;
    return {};
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new EdgeError('EDGE_MODEL_MANIFEST', `${path} is not JSON (${(cause as Error).message})`, { cause });
  }
  return parsePartialManifest(json, path);
}

/** From the store, else the mirror, else the network; at the same time only once. */
function fetchOnce(source: Extract<ModelSource, { kind: 'https' | 'npm' }>, options: LocateOptions): Promise<StoredModel> {
  const { store, signal, expectedSize } = options;
  const shown = showSource(source);
  const { sha256 } = source;
  if (source.kind === 'https' && !sha256) {
    throw new EdgeError('EDGE_MODEL_SOURCE', `${shown} has no hash`, { mend: 'Add #sha256= and the hash of the file' });
  }
  const fetch = async (calledOff: AbortSignal) => {
    const here = await (sha256 ? store.find(sha256) : store.findSource(shown));
    if (here) return here;
    const mirrored = sha256 ? await fileInMirror(sha256, expectedSize) : null;
    const put = { source: shown, limit: MOST_BYTES, ...(sha256 ? { sha256 } : {}) };
    if (mirrored) return store.put(createReadStream(mirrored), put);
    try {
      if (source.kind === 'npm') {
        // Node-RED's user directory holds the store, and may hold an .npmrc.
        return await store.put(progress(fileInPackage(source, dirname(store.folder), calledOff), options), put);
      }
      const body = await openHttp(source.url, { signal: calledOff, limit: MOST_BYTES });
      return await store.put(progress(body.chunks, options, body.length), put);
    } catch (thrown) {
      throw asEdgeError(thrown, 'EDGE_MODEL_DOWNLOAD');
    }
  };
  return store.once(sha256 ?? shown, fetch, signal);
}

async function* progress(
  chunks: AsyncIterable<Uint8Array>,
  { onProgress }: ResolveOptions,
  total?: number,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.byteLength;
    onProgress?.(bytes, total);
    yield chunk;
  }
}

function merge(manifest: PartialManifest, overrides: ManifestOverrides | undefined): PartialManifest {
  if (!overrides) return manifest;
  const merged: PartialManifest = { ...manifest, ...overrides };
  if (overrides.input && overrides.input.kind !== 'raw') {
    merged.input = { ...(manifest.input?.kind === 'raw' ? {} : manifest.input), ...overrides.input };
  }
  if (overrides.output) merged.output = { ...manifest.output, ...overrides.output };
  // What the samples expect is said in the model's own words.
  if (overrides.labels || overrides.task || overrides.output?.head) delete merged.golden;
  return merged;
}

function idFrom(name: string): string {
  const id = name
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, 80)
    .replace(/[^a-z0-9]+$/, '');
  return id || 'model';
}
