import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import * as zlib from 'node:zlib';
import type { OptimisedOptions } from '../backend';

/** Bytes of all kept graphs together, and of a model from which on it pays: below, opening costs milliseconds anyway. */
const CAP_BYTES = 512e6;
const LEAST_BYTES = 500e3;

const CHUNK_BYTES = 1 << 20;

/** Partial files older than this were left by a power cut. */
const STALE_MS = 3_600_000;

/** How protobuf writes the key "location", with which a tensor says that its values lie in another file. */
const LOCATION = Buffer.from('\x0a\x08location');

export interface OptimisedSpec extends OptimisedOptions {
  /** What else decides what the engine makes of a graph: its version, its options. The processor is added here. */
  made: readonly unknown[];
}

/**
 * How a session is made of a file: from the model, leaving its optimised graph at `writeTo` where that is given, or from such a
 * graph as it is.
 */
export type Create<S> = (path: string, how: { writeTo?: string; asItIs?: boolean }) => Promise<S>;

/**
 * Open a model by the graph that this engine made of it on this machine before, or make and keep that graph: optimising is most
 * of what opening costs. Kept graphs are `<name>-<what made it>.<crc32>.onnx`, written beside their place, flushed and renamed.
 * One that is damaged or that the engine refuses is deleted and the model itself opened; where nothing can be written it is
 * opened as if there were no cache. Models with values in other files are not kept: their hash does not say what is in those.
 *
 * @throws what opening the model itself throws.
 */
export async function openOptimised<S>(modelPath: string, spec: OptimisedSpec, create: Create<S>): Promise<S> {
  const name = `${spec.name}-${digest([...spec.made, processor()]).slice(0, 16)}`;
  const kept = await find(spec.folder, name);
  if (kept) {
    try {
      const session = await create(kept, { asItIs: true });
      await utimes(kept, new Date(), new Date()).catch(() => {});
      return session;
    } catch {
      await remove(kept);
    }
  }
  const partial = join(spec.folder, `.partial-${process.pid}-${randomBytes(6).toString('hex')}`);
  if (!(await isWorthIt(modelPath)) || !(await canWrite(spec.folder))) return create(modelPath, {});
  let session: S;
  try {
    session = await create(modelPath, { writeTo: partial });
  } catch {
    await remove(partial);
    return create(modelPath, {});
  }
  await keep(partial, spec.folder, name).catch(() => remove(partial));
  return session;
}

async function find(folder: string, name: string): Promise<string | undefined> {
  for (const file of await readdir(folder).catch(() => [])) {
    if (!file.startsWith(`${name}.`) || !file.endsWith('.onnx')) continue;
    const path = join(folder, file);
    if (file === `${name}.${await checksum(path).catch(() => 'unreadable')}.onnx`) return path;
    await remove(path);
  }
  return undefined;
}

async function isWorthIt(modelPath: string): Promise<boolean> {
  const found = await stat(modelPath).catch(() => null);
  if (!found || found.size < LEAST_BYTES || found.size > CAP_BYTES / 2) return false;
  let tail = Buffer.alloc(0);
  let outside = false;
  await eachChunk(modelPath, (chunk) => {
    const seen = Buffer.concat([tail, chunk]);
    outside ||= seen.includes(LOCATION);
    tail = Buffer.from(seen.subarray(-LOCATION.length));
  });
  return !outside;
}

async function canWrite(folder: string): Promise<boolean> {
  return mkdir(folder, { recursive: true }).then(
    () => true,
    () => false,
  );
}

async function keep(partial: string, folder: string, name: string): Promise<void> {
  const crc = await checksum(partial);
  const file = await open(partial, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(partial, join(folder, `${name}.${crc}.onnx`));
  await trim(folder);
}

/** Least recently used first, until the rest fits. */
async function trim(folder: string): Promise<void> {
  const files: { path: string; size: number; usedAt: number }[] = [];
  for (const file of await readdir(folder)) {
    const path = join(folder, file);
    const found = await stat(path).catch(() => null);
    if (!found) continue;
    if (!file.startsWith('.partial-')) files.push({ path, size: found.size, usedAt: found.mtimeMs });
    else if (Date.now() - found.mtimeMs > STALE_MS) await remove(path);
  }
  let total = files.reduce((sum, { size }) => sum + size, 0);
  for (const { path, size } of files.sort((a, b) => a.usedAt - b.usedAt)) {
    if (total <= CAP_BYTES) return;
    await remove(path);
    total -= size;
  }
}

async function remove(path: string): Promise<void> {
  await rm(path, { force: true }).catch(() => {});
}

/** Node.js before 20.15 has no CRC: there only what the engine itself refuses is noticed. */
const crc32 = (zlib as { crc32?: (data: Uint8Array, value: number) => number }).crc32;

async function checksum(path: string): Promise<string> {
  if (!crc32) return 'unchecked';
  let value = 0;
  await eachChunk(path, (chunk) => {
    value = crc32(chunk, value);
  });
  return value.toString(16).padStart(8, '0');
}

async function eachChunk(path: string, see: (chunk: Buffer) => void): Promise<void> {
  const file: FileHandle = await open(path, 'r');
  try {
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length);
      if (bytesRead === 0) return;
      see(buffer.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}

/** What the engine chooses its kernels by: the model of the processor and what it can do. */
function processor(): unknown {
  const features = process.platform === 'linux' ? featuresOfLinux() : '';
  return [process.platform, process.arch, cpus()[0]?.model ?? '', features];
}

function featuresOfLinux(): string {
  try {
    return /^(?:flags|Features)\s*:.*$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[0] ?? '';
  } catch {
    return '';
  }
}

function digest(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
