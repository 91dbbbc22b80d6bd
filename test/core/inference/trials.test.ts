import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { convolutionalModel, denseModel } from '../../../bench/support/graph';
import { InferenceHost, type Lease, type SessionSpec } from '../../../core/inference/host';
import { rememberedUntil } from '../../../core/inference/trials';
import type { TensorValue } from '../../../core/message/tensor';
import { inProcess } from '../../support/in-process';

const engine = join(__dirname, 'scripted-engine.cjs');
const DAY = 24 * 3600 * 1000;
const x = (value: number): { x: TensorValue } => ({ x: { type: 'float32', shape: [1], data: Float32Array.of(value) } });

let folder: string;
let host: InferenceHost;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'edgeloom-trials-'));
  host = new InferenceHost(0);
});
afterEach(async () => {
  delete process.env.SCRIPTED_VERSION;
  await host.close();
  rmSync(folder, { recursive: true, force: true });
});

const state = () => join(folder, 'inference');
const files = () => readdirSync(state()).filter((name) => name.endsWith('.json'));
interface Written {
  subject: Record<string, unknown>;
  trial: Record<string, unknown>;
}
const record = () => JSON.parse(readFileSync(join(state(), files()[0]!), 'utf8')) as Written;
const change = (edit: (written: Written) => void) => {
  const written = record();
  edit(written);
  writeFileSync(join(state(), files()[0]!), JSON.stringify(written));
};

/** A model of the scripted engine; `opened` says in which processes it was opened so far. */
function scripted(script: Record<string, string>) {
  const path = join(folder, 'model.json');
  const log = join(folder, 'log');
  writeFileSync(log, '');
  writeFileSync(path, JSON.stringify({ log, ...script }));
  return {
    acquire: (more: Partial<SessionSpec> = {}): Promise<Lease> =>
      host.acquire({ path, sha256: 'scripted', backend: engine, stateFolder: state(), ...more }),
    opened: () => readFileSync(log, 'utf8').trim().split('\n').filter(Boolean).map(Number),
  };
}

/** What another Node-RED, started later on the same device, says of it: nothing of this process is remembered there. */
async function later(script: string, env: Record<string, string> = {}): Promise<unknown> {
  const started = inProcess(
    `const spec = ${JSON.stringify({ path: join(folder, 'model.json'), sha256: 'scripted', backend: engine, stateFolder: state() })};
    const told = await (async () => { ${script} })();
    console.log(JSON.stringify(told));
    process.exit(0);`,
    env,
  );
  expect(await started.ended).toEqual({ code: 0, signal: null });
  return JSON.parse(started.stdout());
}
const acquireLater = `
  return host.acquire({ ...spec, placement: 'worker' }).then(
    ({ info }) => ({ placement: info.placement, warnings: info.warnings }),
    ({ code, message, retryAfter }) => ({ code, message, retryAfter }));`;

describe('the first run of a model on a device', () => {
  it('happens in a process of its own, which is gone when the model is opened where it belongs', async () => {
    const model = scripted({});
    const { info } = await model.acquire({ placement: 'worker' });
    const [first, second] = model.opened();
    expect(model.opened()).toHaveLength(2);
    expect(first).not.toBe(process.pid);
    expect(second).toBe(process.pid);
    expect(info.placement).toBe('worker');
    expect(() => process.kill(first!, 0)).toThrow('ESRCH');
  });

  it('is written down with what was measured, and happens once', async () => {
    const path = join(folder, 'model.onnx');
    writeFileSync(path, convolutionalModel(64, 8, 2));
    const spec = { path, sha256: 'ab'.repeat(32), placement: 'worker', stateFolder: state() } as const;
    const { info } = await host.acquire(spec);
    expect(files()).toEqual([expect.stringMatching(/^abababababababab-[0-9a-f]{16}\.json$/)]);
    expect(record()).toMatchObject({
      subject: { sha256: spec.sha256, backend: 'onnxruntime-node', engine: info.engineVersion, options: {} },
      trial: {
        verdict: 'passed',
        measurement: { medianMs: info.medianMs, batchable: false },
        threads: info.threads,
        inside: 'open',
        failures: 0,
      },
    });
    const again = new InferenceHost(0);
    expect((await again.acquire({ ...spec, placement: 'main' })).info.medianMs).toBe(info.medianMs);
    expect((await again.acquire({ ...spec, placement: 'process' })).info.medianMs).toBe(info.medianMs);
    await again.close();
  });

  it('decides at once that a tiny model goes to the main thread, and says why', async () => {
    const path = join(folder, 'tiny.onnx');
    writeFileSync(path, denseModel(8, 2));
    const { info } = await host.acquire({ path, sha256: 'tiny', stateFolder: state() });
    expect(info).toMatchObject({ placement: 'main', notes: [expect.stringContaining('shorter than the way to another thread')] });
  });

  it('is the session itself where the model is to have a process of its own', async () => {
    const model = scripted({});
    const lease = await model.acquire({ placement: 'process' });
    expect(model.opened()).toEqual([host.stats().sessions[0]!.pid]);
    expect((await lease.run(x(3))).outputs.y!.data[0]).toBe(3);
  });

  it('happens again with another version of the engine, and with other options', async () => {
    const model = scripted({});
    await model.acquire({ placement: 'process' });
    process.env.SCRIPTED_VERSION = '1.0.1';
    await new InferenceHost(0).acquire({ ...specOf(), placement: 'process', retry: false }).then((lease) => lease.release());
    await model.acquire({ placement: 'process', options: { preciseInt8: true } });
    expect(files()).toHaveLength(3);
  });

  it('is no failure of a model that is refused: that is told, and nothing is kept', async () => {
    const path = join(folder, 'bad.onnx');
    writeFileSync(path, 'no model');
    await expect(host.acquire({ path, sha256: 'bad', stateFolder: state() })).rejects.toMatchObject({
      code: 'EDGE_MODEL_INVALID',
    });
    expect(() => files()).toThrow('ENOENT');
  });

  it.each([
    ['is cut short', '{"subject": {"sha'],
    ['is of another kind', '{"subject": {"sha256": "scripted"}, "trial": {"verdict": "passed"}}'],
    ['holds nothing', ''],
  ])('happens again where its record %s', async (_what, text) => {
    const model = scripted({});
    await model.acquire({ placement: 'process' });
    writeFileSync(join(state(), files()[0]!), text);
    await later(acquireLater);
    // In a process first, then inside.
    expect(model.opened()).toHaveLength(3);
    expect(record().trial).toMatchObject({ verdict: 'passed', inside: 'left' });
  });

  it('happens again on a device with another processor', async () => {
    const model = scripted({});
    await model.acquire({ placement: 'process' });
    change(({ subject }) => {
      subject.machine = 'linux arm64 Cortex-A72';
    });
    await later(acquireLater);
    expect(model.opened()).toHaveLength(3);
  });

  it('is remembered until the end where nothing can be written', async () => {
    writeFileSync(join(folder, 'inference'), 'in the way of the folder');
    const model = scripted({});
    await model.acquire({ placement: 'process' });
    await model.acquire({ placement: 'worker' });
    expect(model.opened()).toHaveLength(2);
  });
});

describe('a model that dies when it is opened', () => {
  const refused = { code: 'EDGE_MODEL_CRASHED', message: expect.stringContaining('SIGILL') };

  it('takes nothing along, and is not opened again for a day', async () => {
    const model = scripted({ open: 'SIGILL' });
    await expect(model.acquire()).rejects.toMatchObject(refused);
    const before = model.opened();
    expect(before).toHaveLength(1);
    for (const placement of ['auto', 'worker', 'main'] as const) {
      const { retryAfter, ...error } = await model.acquire({ placement }).catch((thrown) => thrown);
      expect(error).toMatchObject({ code: 'EDGE_MODEL_CRASHED' });
      expect(retryAfter).toBeGreaterThan(DAY - 60_000);
    }
    expect(await later(acquireLater)).toMatchObject({ ...refused, retryAfter: expect.any(Number) });
    expect(model.opened()).toEqual(before);
  });

  it.each([
    [
      'when the day is over',
      (failures: number) => change(({ trial }) => Object.assign(trial, { at: Date.now() - failures * DAY - 1000 })),
      {},
    ],
    ['when its record is removed', () => rmSync(join(state(), files()[0]!)), {}],
    ['when it is asked for', () => {}, { retry: true }],
    ['where it is to have a process of its own anyway', () => {}, { placement: 'process' as const }],
    [
      'with another version of the engine',
      (failures: number) => {
        process.env.SCRIPTED_VERSION = `2.0.${failures}`;
      },
      {},
    ],
  ])('is tried again %s', async (_when, pass, more) => {
    const model = scripted({ open: 'SIGILL' });
    await expect(model.acquire()).rejects.toMatchObject(refused);
    pass(1);
    await expect(model.acquire(more)).rejects.toMatchObject(refused);
    expect(model.opened()).toHaveLength(2);
    scripted({});
    pass(2);
    await expect(model.acquire({ placement: 'worker', ...more })).resolves.toBeDefined();
  });

  it('is remembered longer every time', () => {
    const failed = { verdict: 'failed', stage: 'opening', cause: 'signal', detail: 'SIGILL', at: 0 } as const;
    const limits = { runMs: 1, memoryBytes: 1 };
    const days = [1, 2, 3, 6, 50].map((failures) => rememberedUntil({ ...failed, limits, failures }) / DAY);
    expect(days).toEqual([1, 2, 4, 32, 32]);
    // Perhaps the machine was out of memory because of something else.
    expect(rememberedUntil({ ...failed, limits, detail: 'SIGKILL', failures: 3 }) / DAY).toBeLessThan(0.1);
  });
});

describe('a model that dies in its first run', () => {
  it.each([
    ['SIGSEGV', {}, 'SIGSEGV'],
    ['hang', { runMs: 300 }, 'more than 0.3 s'],
  ])('of %s is opened in a process of its own instead, with the reason', async (run, limits, words) => {
    const model = scripted({ run });
    const { info } = await model.acquire({ placement: 'auto', limits });
    expect(info).toMatchObject({ placement: 'process', warnings: [expect.stringContaining(words)] });
    expect(info.warnings[0]).toMatch(/until \d{4}-\d\d-\d\d \d\d:\d\d UTC it runs in a process of its own/);
    expect(model.opened()).not.toContain(process.pid);
    expect(record().trial).toMatchObject({ verdict: 'failed', stage: 'running', failures: 1 });
  });

  it('of a hang is tried again when it is given more time', async () => {
    const model = scripted({ run: 'hang' });
    await model.acquire({ limits: { runMs: 300 } });
    expect(model.opened()).toHaveLength(2);
    await model.acquire({ limits: { runMs: 200 } });
    expect(model.opened()).toHaveLength(3);
    await model.acquire({ limits: { runMs: 600 } });
    expect(model.opened()).toHaveLength(5);
  });

  it('and later in a flow’s run, in its process, is not taken into Node-RED’s process afterwards', async () => {
    const model = scripted({ poison: 'SIGSEGV' });
    const lease = await model.acquire({ placement: 'process' });
    await expect(lease.run(x(13))).rejects.toMatchObject({ code: 'EDGE_MODEL_CRASHED' });
    await expect(lease.run(x(1))).resolves.toBeDefined();
    expect((await model.acquire({ placement: 'worker' })).info.placement).toBe('process');
  });
});

describe('a model that takes Node-RED along, although it did well in a process of its own', () => {
  it('is known for it at the next start, and runs in a process of its own for a day', async () => {
    const model = scripted({ inside: 'SIGSEGV' });
    const spec = { path: join(folder, 'model.json'), sha256: 'scripted', backend: engine, stateFolder: state() };
    const crash = inProcess(`await host.acquire(${JSON.stringify({ ...spec, placement: 'worker' })});`);
    expect(await crash.ended).toEqual({ code: null, signal: 'SIGSEGV' });
    expect(record().trial).toMatchObject({ verdict: 'passed', inside: 'entered' });
    expect(await later(acquireLater)).toMatchObject({
      placement: 'process',
      warnings: [expect.stringContaining('Node-RED ended the last time when this model was first opened in its process')],
    });
    expect(record().trial).toMatchObject({ verdict: 'failed', cause: 'inside', failures: 1 });
    expect(model.opened()).toHaveLength(3);
  });

  it('is known for it after the third time where it does so later, when it runs', async () => {
    scripted({ poison: 'SIGSEGV' });
    const spec = { path: join(folder, 'model.json'), sha256: 'scripted', backend: engine, stateFolder: state() };
    for (let life = 1; life <= 3; life++) {
      const crash = inProcess(`
        const lease = await host.acquire(${JSON.stringify({ ...spec, placement: 'worker' })});
        await lease.run({ x: { type: 'float32', shape: [1], data: Float32Array.of(13) } });`);
      expect(await crash.ended).toEqual({ code: null, signal: 'SIGSEGV' });
      expect(record().trial).toMatchObject({ verdict: 'passed', inside: 'open', unclean: life });
    }
    expect(await later(acquireLater)).toMatchObject({
      placement: 'process',
      warnings: [expect.stringContaining('Node-RED ended suddenly 3 times in a row soon after this model was opened')],
    });
  });

  it('is not known for it when Node-RED ended in an orderly way in between', async () => {
    const model = scripted({});
    for (let life = 1; life <= 4; life++) expect(await later(acquireLater)).toMatchObject({ placement: 'worker', warnings: [] });
    expect(record().trial).toMatchObject({ verdict: 'passed', inside: 'left', unclean: 0 });
    expect(model.opened()).toHaveLength(5);
  });

  it('is no other for having been opened twice at the same time', async () => {
    const model = scripted({});
    const leases = await Promise.all([model.acquire({ placement: 'worker' }), model.acquire({ placement: 'main' })]);
    expect(leases.map(({ info }) => info.placement)).toEqual(['worker', 'main']);
    expect(record().trial).toMatchObject({ verdict: 'passed', inside: 'open', unclean: 1 });
  });
});

function specOf() {
  return { path: join(folder, 'model.json'), sha256: 'scripted', backend: engine, stateFolder: state() };
}
