import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sharedHost } from '../../../core/inference/host';
import type { Task } from '../../../core/task';
import type { ModelProvider, ModelState } from '../../../nodes/common/model-owner';
import { COLOURS, colourDetector, plain } from '../../core/task/models';
import { itWith, ROOT } from '../../support/needs';
import { helper, load, until } from '../flow';

const model = require(join(ROOT, 'dist', 'nodes', 'edge-model', 'edge-model.js'));

let folder: string;
let colours: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'edgeloom-model-'));
  colours = join(folder, 'colours');
  mkdirSync(colours);
  writeFileSync(join(colours, 'colours.onnx'), colourDetector());
  writeFileSync(join(colours, 'model.json'), JSON.stringify({ ...COLOURS, source: undefined }));
});
afterAll(async () => {
  await sharedHost().close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach((done) => {
  helper.settings({ userDir: folder });
  helper.startServer(done);
});
afterEach(async () => {
  await helper.unload();
  await new Promise<void>((resolve) => helper.stopServer(() => resolve()));
});

async function start(config: Record<string, unknown>): Promise<ModelProvider> {
  await load(model, [{ id: 'm', type: 'edge-model', ...config }]);
  return helper.getNode('m') as unknown as ModelProvider;
}
const leases = () =>
  sharedHost()
    .stats()
    .sessions.map((session) => session.leases);
const red = plain(255, 0, 0);

describe('edge-model', () => {
  it('gives every user a task of its own on one session, and lets go with the last', async () => {
    const provider = await start({ source: colours });
    const tasks = await Promise.all([provider.task(), provider.task({ labels: ['blue'] }), provider.task()]);
    expect(leases()).toEqual([3]);
    expect((await tasks[0].run(red)).result).toMatchObject({ model: 'colours@3', detections: [{ label: 'red' }] });
    expect((await tasks[1].run(red)).result).toMatchObject({ detections: [] });
    await tasks[1].close();
    expect(leases()).toEqual([2]);
    await helper.unload();
    await until(() => leases().every((count) => count === 0), 'the leases to be given back');
    await expect(tasks[0].run(red)).rejects.toMatchObject({ code: 'EDGE_SESSION_CLOSED' });
  });

  it('knows its manifest without opening the model', async () => {
    const provider = await start({ source: colours });
    expect(await provider.manifest()).toMatchObject({ id: 'colours', labels: ['red', 'green', 'blue'] });
    expect(leases().filter((count) => count > 0)).toEqual([]);
  });

  it('tells its users of loading and ready, and late ones of the present', async () => {
    const provider = await start({ source: colours });
    const heard: ModelState[] = [];
    provider.onState((state) => heard.push(state));
    await provider.task();
    expect(heard.map(({ phase }) => phase)).toEqual(['loading', 'ready']);
    expect(heard[1]).toMatchObject({ medianMs: expect.any(Number) });
    const late: ModelState[] = [];
    const forget = provider.onState((state) => late.push(state));
    expect(late).toEqual([heard[1]]);
    forget();
  });

  it('takes what the dialog says over what the model says, and a user over both', async () => {
    const provider = await start({ source: colours, labels: 'rot, gruen, blau', scoreThreshold: '0.9' });
    const faint = plain(200, 0, 0);
    const labelled = async (task: Task) => (await task.run(faint)).result;
    expect(await labelled(await provider.task())).toMatchObject({ detections: [] });
    expect(await labelled(await provider.task({ scoreThreshold: 0.5 }))).toMatchObject({ detections: [{ label: 'rot' }] });
  });

  it('names the fields that a bare file leaves out', async () => {
    writeFileSync(join(folder, 'bare.onnx'), colourDetector());
    const provider = await start({ source: join(folder, 'bare.onnx') });
    await expect(provider.task()).rejects.toMatchObject({
      code: 'EDGE_MODEL_INCOMPLETE',
      message: expect.stringMatching(/input\.mean/),
    });
  });

  it('tells a wrong setting to who asks for the model', async () => {
    const provider = await start({ source: colours, threads: 'all' });
    await expect(provider.task()).rejects.toMatchObject({ code: 'EDGE_SETTING' });
  });

  describe('where the user directory cannot be written', () => {
    beforeEach(() => {
      // Not by permissions, which do not hold for root: a file lies where the store's folder would be made.
      const readOnly = join(folder, 'read-only');
      mkdirSync(readOnly, { recursive: true });
      writeFileSync(join(readOnly, 'edgeloom'), '');
      helper.settings({ userDir: readOnly });
    });

    it('says so when something has to be kept', async () => {
      const provider = await start({ source: colours });
      await expect(provider.task()).rejects.toMatchObject({ code: 'EDGE_STORE_WRITE' });
    });

    itWith(['detector'], 'the packaged detector works all the same', async () => {
      const provider = await start({});
      expect((await (await provider.task()).run(red)).result).toMatchObject({ schema: 'edgeloom/detections/1' });
    });
  });
});
