import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { EdgeError } from '../errors';

export interface StoredModel {
  sha256: string;
  path: string;
  /** Bytes. */
  size: number;
  /** Milliseconds since the epoch of the last use. */
  usedAt: number;
  /** Where it came from; absent when its note was lost. */
  source?: string;
}

export interface PutOptions {
  /** Refuse anything else. */
  sha256?: string;
  source: string;
  /** Most bytes. */
  limit: number;
}

/** Partial files older than this were left by a power cut. */
const STALE_MS = 24 * 3600 * 1000;

interface SharedWork {
  result: Promise<unknown>;
  /** Who still waits for it. */
  waiting: number;
  stop: AbortController;
}

/** Work under way in this process, by folder and key: several config nodes share one folder, each with a store of its own. */
const underWay = new Map<string, SharedWork>();

/**
 * Models on disk by content: `<folder>/models/<sha256>.onnx`, and files made from them, `<folder>/derived/<sha256>-<recipe>.onnx`.
 * Everything is written beside its place, flushed and renamed, so that a power cut leaves a whole file or none.
 */
export class ModelStore {
  constructor(readonly folder: string) {}

  /** The stored model, its hash verified; a damaged one is removed. Null when it is not here. */
  async find(sha256: string): Promise<StoredModel | null> {
    const path = this.modelPath(sha256);
    const found = await stat(path).catch(() => null);
    if (!found) return null;
    if ((await sha256OfFile(path)) !== sha256) {
      await rm(path, { force: true }).catch(() => {});
      return null;
    }
    // The time of use decides what a size cap removes first; a folder that cannot be written still serves.
    await utimes(path, new Date(), new Date()).catch(() => {});
    return { sha256, path, size: found.size, usedAt: Date.now() };
  }

  /** The stored model that came from `source`, for sources that never change (a version in a registry). */
  async findSource(source: string): Promise<StoredModel | null> {
    const known = (await this.list()).find((model) => model.source === source);
    return known ? this.find(known.sha256) : null;
  }

  /** @throws EDGE_MODEL_HASH, EDGE_MODEL_DOWNLOAD when it is longer than the limit, EDGE_STORE_WRITE */
  async put(bytes: AsyncIterable<Uint8Array>, { sha256, source, limit }: PutOptions): Promise<StoredModel> {
    const hash = createHash('sha256');
    let size = 0;
    let actual = '';
    const counted = async function* () {
      for await (const chunk of bytes) {
        size += chunk.byteLength;
        if (size > limit) throw new EdgeError('EDGE_MODEL_DOWNLOAD', `${source} has more than ${limit} bytes`);
        hash.update(chunk);
        yield chunk;
      }
    };
    const path = await this.write('models', counted(), () => {
      actual = hash.digest('hex');
      if (size === 0) throw new EdgeError('EDGE_MODEL_DOWNLOAD', `${source} is empty`);
      if (sha256 !== undefined && actual !== sha256) {
        throw new EdgeError('EDGE_MODEL_HASH', `${source}: expected ${sha256}, got ${actual}`);
      }
      return `${actual}.onnx`;
    });
    await this.write('models', one(Buffer.from(JSON.stringify({ source }))), () => `${actual}.json`);
    return { sha256: actual, path, size, usedAt: Date.now(), source };
  }

  /**
   * A file made from a model by a recipe ("input-1a2b"), made once and kept.
   * @throws EDGE_STORE_WRITE, and what `make` throws.
   */
  async derive(sha256: string, recipe: string, make: () => Promise<Uint8Array>): Promise<string> {
    const name = `${sha256}-${recipe}.onnx`;
    const path = join(this.folder, 'derived', name);
    return this.once(name, async () => {
      const found = await stat(path).catch(() => null);
      if (found && found.size > 0) return path;
      return this.write('derived', one(await make()), () => name);
    });
  }

  /**
   * Run `work` once for a key however often it is asked for at the same time; all get its result. Who gives up by `signal` no
   * longer waits, and the work is called off when nobody does.
   */
  async once<T>(key: string, work: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const whole = `${this.folder}\0${key}`;
    const shared = underWay.get(whole) ?? startShared(whole, work);
    shared.waiting += 1;
    try {
      return (await orGivenUp(shared.result, signal)) as T;
    } finally {
      shared.waiting -= 1;
      if (shared.waiting === 0) {
        if (underWay.get(whole) === shared) underWay.delete(whole);
        shared.stop.abort();
      }
    }
  }

  /** Everything stored, longest unused first. */
  async list(): Promise<StoredModel[]> {
    const folder = join(this.folder, 'models');
    const names = await readdir(folder).catch(() => []);
    const models: StoredModel[] = [];
    for (const name of names) {
      const sha256 = /^([0-9a-f]{64})\.onnx$/.exec(name)?.[1];
      const found = sha256 ? await stat(join(folder, name)).catch(() => null) : null;
      if (!sha256 || !found) continue;
      const model: StoredModel = { sha256, path: join(folder, name), size: found.size, usedAt: found.mtimeMs };
      const source = await sourceNote(join(folder, `${sha256}.json`));
      if (source !== undefined) model.source = source;
      models.push(model);
    }
    return models.sort((a, b) => a.usedAt - b.usedAt);
  }

  /** What is stored and in no flow's use. */
  async unused(inUse: ReadonlySet<string>): Promise<StoredModel[]> {
    return (await this.list()).filter((model) => !inUse.has(model.sha256));
  }

  /** Remove a model and what was made from it. @throws EDGE_STORE_WRITE */
  async remove(sha256: string): Promise<void> {
    try {
      for (const folder of ['derived', 'optimised']) {
        const made = await readdir(join(this.folder, folder)).catch(() => []);
        for (const name of made) if (name.startsWith(`${sha256}-`)) await rm(join(this.folder, folder, name), { force: true });
      }
      await rm(join(this.folder, 'models', `${sha256}.json`), { force: true });
      await rm(this.modelPath(sha256), { force: true });
    } catch (cause) {
      throw this.cannotWrite(cause);
    }
  }

  /** Remove unused models, longest unused first, until the rest fits `cap` bytes. Returns what was removed. */
  async trim(cap: number, inUse: ReadonlySet<string>): Promise<StoredModel[]> {
    const models = await this.list();
    let total = models.reduce((sum, model) => sum + model.size, 0);
    const removed: StoredModel[] = [];
    for (const model of models) {
      if (total <= cap) break;
      if (inUse.has(model.sha256)) continue;
      await this.remove(model.sha256);
      total -= model.size;
      removed.push(model);
    }
    await this.removeStale();
    return removed;
  }

  private modelPath(sha256: string): string {
    return join(this.folder, 'models', `${sha256}.onnx`);
  }

  /** Write to a partial file, flush it, rename it to the name that `finish` gives once all bytes are seen, flush the folder. */
  private async write(subfolder: string, bytes: AsyncIterable<Uint8Array>, finish: () => string): Promise<string> {
    const folder = join(this.folder, subfolder);
    const partial = join(folder, `.partial-${process.pid}-${randomBytes(6).toString('hex')}`);
    try {
      await mkdir(folder, { recursive: true });
      const file = await open(partial, 'wx');
      try {
        for await (const chunk of bytes) await file.writeFile(chunk);
        await file.sync();
      } finally {
        await file.close();
      }
      const path = join(folder, finish());
      await rename(partial, path);
      await syncFolder(folder);
      return path;
    } catch (thrown) {
      await rm(partial, { force: true }).catch(() => {});
      throw isFileError(thrown) ? this.cannotWrite(thrown) : thrown;
    }
  }

  private async removeStale(): Promise<void> {
    for (const subfolder of ['models', 'derived']) {
      const folder = join(this.folder, subfolder);
      for (const name of await readdir(folder).catch(() => [])) {
        if (!name.startsWith('.partial-')) continue;
        const found = await stat(join(folder, name)).catch(() => null);
        if (found && Date.now() - found.mtimeMs > STALE_MS) await rm(join(folder, name), { force: true }).catch(() => {});
      }
    }
  }

  private cannotWrite(cause: unknown): EdgeError {
    return new EdgeError('EDGE_STORE_WRITE', `${this.folder} (${codeOf(cause)})`, {
      cause,
      mend: 'Give the user that runs Node-RED the right to write there, or free some space',
    });
  }
}

function startShared(key: string, work: (signal: AbortSignal) => Promise<unknown>): SharedWork {
  const stop = new AbortController();
  const shared: SharedWork = { result: work(stop.signal), waiting: 0, stop };
  underWay.set(key, shared);
  const forget = () => underWay.get(key) === shared && underWay.delete(key);
  shared.result.then(forget, forget);
  return shared;
}

/** The result, or EDGE_MODEL_DOWNLOAD as soon as `signal` is aborted. */
async function orGivenUp<T>(result: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return result;
  let giveUp = () => {};
  const givenUp = new Promise<never>((_, reject) => {
    giveUp = () => reject(new EdgeError('EDGE_MODEL_DOWNLOAD', 'it was called off'));
    if (signal.aborted) giveUp();
    else signal.addEventListener('abort', giveUp, { once: true });
  });
  try {
    return await Promise.race([result, givenUp]);
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 18 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function sourceNote(path: string): Promise<string | undefined> {
  try {
    const note: unknown = JSON.parse(await readFile(path, 'utf8'));
    const source = (note as { source?: unknown } | null)?.source;
    return typeof source === 'string' ? source : undefined;
  } catch {
    return undefined;
  }
}

/** Flushing a folder makes the rename itself durable; Windows does not know it. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => null);
  await handle?.sync().catch(() => {});
  await handle?.close();
}

const FILE_ERRORS = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT', 'ENOTDIR', 'EEXIST', 'EMFILE', 'EIO', 'EISDIR']);

function codeOf(thrown: unknown): string {
  return String((thrown as NodeJS.ErrnoException | null)?.code ?? 'unknown');
}

function isFileError(thrown: unknown): boolean {
  return typeof thrown === 'object' && thrown !== null && 'syscall' in thrown && FILE_ERRORS.has(codeOf(thrown));
}
