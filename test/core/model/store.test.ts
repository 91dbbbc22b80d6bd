import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ModelStore } from '../../../core/model/store';

async function* bytes(...parts: string[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part);
}
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const put = { source: 'npm:a@1.0.0/a.onnx', limit: 1000 };

let folder: string;
let store: ModelStore;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'edgeloom-store-'));
  store = new ModelStore(folder);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('the model store', () => {
  it('keeps a model under its hash and finds it again, by source too', async () => {
    const stored = await store.put(bytes('mo', 'del'), put);
    expect(stored).toMatchObject({ sha256: sha256('model'), size: 5 });
    expect(readFileSync(stored.path, 'utf8')).toBe('model');
    expect(await new ModelStore(folder).find(stored.sha256)).toMatchObject({ path: stored.path });
    expect(await store.findSource(put.source)).toMatchObject({ sha256: stored.sha256 });
    expect(await store.findSource('npm:a@2.0.0/a.onnx')).toBeNull();
    expect(await store.find(sha256('other'))).toBeNull();
  });

  it('leaves nothing behind of what was refused', async () => {
    await expect(store.put(bytes('model'), { ...put, sha256: sha256('other') })).rejects.toMatchObject({
      code: 'EDGE_MODEL_HASH',
    });
    await expect(store.put(bytes('model', 'more'), { ...put, limit: 6 })).rejects.toMatchObject({ code: 'EDGE_MODEL_DOWNLOAD' });
    await expect(store.put(bytes(), put)).rejects.toMatchObject({ code: 'EDGE_MODEL_DOWNLOAD' });
    const broken = async function* () {
      yield Buffer.from('mo');
      throw new Error('cable');
    };
    await expect(store.put(broken(), put)).rejects.toThrow('cable');
    expect(readdirSync(join(folder, 'models'))).toEqual([]);
  });

  it('does not hand out a file that was damaged on disk', async () => {
    const stored = await store.put(bytes('model'), put);
    writeFileSync(stored.path, 'mod');
    expect(await store.find(stored.sha256)).toBeNull();
    expect(await store.list()).toEqual([]);
  });

  it('makes a derived file once, however many ask', async () => {
    let made = 0;
    const make = async () => {
      made += 1;
      await new Promise((resolve) => setTimeout(resolve, 20));
      return Buffer.from('folded');
    };
    const hash = sha256('model');
    // Two stores on one folder, as two config nodes have them.
    const paths = await Promise.all([store.derive(hash, 'pixels', make), new ModelStore(folder).derive(hash, 'pixels', make)]);
    paths.push(await store.derive(hash, 'pixels', make));
    expect(made).toBe(1);
    expect(new Set(paths).size).toBe(1);
    expect(readFileSync(paths[0]!, 'utf8')).toBe('folded');
  });

  it('tries again after a failure', async () => {
    const fail = () => Promise.reject(new Error('no'));
    await expect(store.once('key', fail)).rejects.toThrow('no');
    expect(await store.once('key', async () => 5)).toBe(5);
  });

  it('lets one who gives up go and finishes for the others; called off only when nobody waits', async () => {
    const impatient = new AbortController();
    let calledOff = false;
    let finish = (_value: string) => {};
    const work = (signal: AbortSignal) =>
      new Promise<string>((resolve) => {
        finish = resolve;
        signal.addEventListener('abort', () => {
          calledOff = true;
        });
      });
    const first = store.once('key', work, impatient.signal);
    const second = store.once('key', work);
    impatient.abort();
    await expect(first).rejects.toMatchObject({ code: 'EDGE_MODEL_DOWNLOAD' });
    expect(calledOff).toBe(false);
    finish('done');
    expect(await second).toBe('done');

    const alone = new AbortController();
    const third = store.once('key', work, alone.signal);
    alone.abort();
    await expect(third).rejects.toMatchObject({ code: 'EDGE_MODEL_DOWNLOAD' });
    expect(calledOff).toBe(true);
    expect(await store.once('key', async () => 'anew')).toBe('anew');
  });

  it('lists what no flow uses and removes it with what was made of it', async () => {
    const one = await store.put(bytes('one'), { ...put, source: 'one' });
    const two = await store.put(bytes('two'), { ...put, source: 'two' });
    await store.derive(two.sha256, 'pixels', async () => Buffer.from('folded'));
    expect(await store.unused(new Set([one.sha256]))).toEqual([expect.objectContaining({ sha256: two.sha256, source: 'two' })]);
    mkdirSync(join(folder, 'optimised'));
    writeFileSync(join(folder, 'optimised', `${two.sha256}-1.onnx`), 'an optimised graph');
    await store.remove(two.sha256);
    expect(readdirSync(join(folder, 'optimised'))).toEqual([]);
    expect((await store.list()).map((model) => model.source)).toEqual(['one']);
    expect(readdirSync(join(folder, 'derived'))).toEqual([]);
  });

  it('keeps within a cap: the longest unused go first, those in use stay', async () => {
    for (const [age, name] of ['oldest', 'middle', 'newest'].entries()) {
      const { path } = await store.put(bytes(name), { ...put, source: name });
      const time = new Date(2020, 0, 1 + age);
      utimesSync(path, time, time);
    }
    const [oldest] = await store.list();
    const removed = await store.trim(12, new Set([oldest!.sha256]));
    expect(removed.map((model) => model.source)).toEqual(['middle']);
    expect((await store.list()).map((model) => model.source)).toEqual(['oldest', 'newest']);
    expect(await store.trim(0, new Set([oldest!.sha256]))).toHaveLength(1);
  });

  it('sweeps away partial files that a power cut left, and leaves those being written', async () => {
    mkdirSync(join(folder, 'models'), { recursive: true });
    const old = join(folder, 'models', '.partial-1-aaaa');
    writeFileSync(old, 'half');
    utimesSync(old, new Date(2020, 0, 1), new Date(2020, 0, 1));
    writeFileSync(join(folder, 'models', '.partial-2-bbbb'), 'half');
    await store.trim(1e9, new Set());
    expect(readdirSync(join(folder, 'models'))).toEqual(['.partial-2-bbbb']);
  });

  it('says in one sentence that it cannot write', async () => {
    // A file where the folder should be stops every user, root too, who may write into read-only folders.
    const blocked = new ModelStore(join(folder, 'file'));
    writeFileSync(join(folder, 'file'), '');
    const error = {
      code: 'EDGE_STORE_WRITE',
      message: expect.stringMatching(/cannot be written: .*file \(E\w+\)\. Give the user/),
    };
    await expect(blocked.put(bytes('model'), put)).rejects.toMatchObject(error);
    await expect(blocked.derive(sha256('x'), 'pixels', async () => Buffer.from('x'))).rejects.toMatchObject(error);
    expect(await blocked.list()).toEqual([]);
    expect(await blocked.find(sha256('x'))).toBeNull();
  });
});
