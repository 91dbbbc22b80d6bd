import { join } from 'node:path';
import { InferenceHost } from '../../../core/inference/host';
import type { DetectionResult } from '../../../core/message/results';
import type { GoldenSample } from '../../../core/model/golden';
import type { Manifest } from '../../../core/model/manifest';
import type { Task, TaskOptions } from '../../../core/task';
import { LiveModel } from '../../../core/task/live-model';
import { plain as picture } from '../media/pictures';
import { COLOURS, colourDetector, plain, Workshop } from './models';

const workshop = new Workshop();
let host: InferenceHost;
beforeEach(() => {
  host = new InferenceHost(0);
});
beforeAll(async () => {
  await picture(4, 4, '#f00').png().toFile(join(workshop.folder, 'red.png'));
});
afterEach(() => host.close());
afterAll(() => workshop.remove());

const red = plain(255, 0, 0);
const sees = (label: string): GoldenSample => ({
  input: 'red.png',
  expected: { detections: [{ label, score: 1, box: { x: 2, y: 2, width: 2, height: 2 } }] },
});
const version =
  (change: Partial<Manifest>, options: TaskOptions = {}) =>
  async () => ({
    model: { ...workshop.resolved(colourDetector(), { ...COLOURS, ...change }), folder: workshop.folder },
    options,
  });
const run = async (task: Task) => (await task.run(red)).result as DetectionResult;
const model = async (task: Task) => (await run(task)).model;
const leases = () => host.stats().sessions.map((session) => session.leases);
const until = async (done: () => boolean) => {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 5));
};

describe('a model that is exchanged under its users', () => {
  it('takes all users over, each with its own options', async () => {
    const live = new LiveModel(version({ version: '1' }), host);
    const users = await Promise.all([live.task(), live.task({ labels: ['blue'] })]);
    expect(await live.change(version({ version: '2' }))).toBe(true);
    expect(await Promise.all(users.map(model))).toEqual(['colours@2', 'colours@2']);
    expect((await run(users[0]!)).detections).toMatchObject([{ label: 'red' }]);
    expect((await run(users[1]!)).detections).toEqual([]);
    expect(await model(await live.task())).toBe('colours@2');
    await live.close();
  });

  it('takes none over where one of them could not go', async () => {
    const live = new LiveModel(version({ version: '1' }), host);
    const users = await Promise.all([live.task(), live.task({ labels: ['red'] })]);
    await expect(live.change(version({ version: '2', output: { head: 'yolox' } }))).rejects.toMatchObject({
      code: expect.stringMatching(/^EDGE_MODEL_/),
    });
    expect(await Promise.all(users.map(model))).toEqual(['colours@1', 'colours@1']);
    await until(() => leases().join() === '2');
    await live.close();
  });

  it('does nothing for the very same model', async () => {
    const live = new LiveModel(version({ version: '1' }), host);
    const user = await live.task();
    expect(await live.change()).toBe(false);
    expect(leases()).toEqual([1]);
    expect(await model(user)).toBe('colours@1');
    await live.close();
  });

  it('serves who asks while another model is opened, and takes them over too', async () => {
    const live = new LiveModel(version({ version: '1' }), host);
    const first = await live.task();
    let arrive = () => {};
    const arrived = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    const change = live.change(async () => {
      await arrived;
      return version({ version: '2' })();
    });
    const second = await live.task();
    expect(await model(second)).toBe('colours@1');
    arrive();
    await change;
    expect(await Promise.all([first, second].map(model))).toEqual(['colours@2', 'colours@2']);
    await live.close();
  });

  it('gives the newest choice to who waits for the first model', async () => {
    let begun = false;
    const live = new LiveModel((signal) => {
      begun = true;
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    }, host);
    const waiting = live.task();
    await until(() => begun);
    await live.change(version({ version: '2' }));
    expect(await model(await waiting)).toBe('colours@2');
    await live.close();
  });

  it('tries anew for the next who asks when the first could not be found', async () => {
    let tries = 0;
    const live = new LiveModel(async () => {
      tries += 1;
      if (tries === 1) throw new Error('the disk is not there yet');
      return version({ version: '1' })();
    }, host);
    await expect(live.task()).rejects.toThrow('not there yet');
    expect(await model(await live.task())).toBe('colours@1');
    await live.close();
  });

  it('lets users end what they have when it retires, and gives no more', async () => {
    const live = new LiveModel(version({ version: '1' }), host);
    const user = await live.task();
    live.retire();
    expect(await model(user)).toBe('colours@1');
    await expect(live.task()).rejects.toMatchObject({ code: 'EDGE_SESSION_CLOSED' });
    await user.close();
    await until(() => leases().length === 0);
  });

  describe('with golden samples', () => {
    it('opens where the result is the expected one, whatever a user asks for', async () => {
      const live = new LiveModel(version({ golden: [sees('red')] }), host);
      expect((await run(await live.task({ labels: ['blue'] }))).detections).toEqual([]);
      await live.close();
    });

    it('refuses at the first load what gives something else, and says what', async () => {
      const live = new LiveModel(version({ golden: [sees('green')] }), host);
      await expect(live.task()).rejects.toMatchObject({
        code: 'EDGE_MODEL_GOLDEN',
        message: expect.stringContaining('sample 1 (red.png): green 1.00 at 2,2 2x2 was not found'),
      });
      expect(leases().filter((count) => count > 0)).toEqual([]);
      await live.close();
    });

    it('keeps the model before where the new one fails them', async () => {
      const live = new LiveModel(version({ version: '1', golden: [sees('red')] }), host);
      const user = await live.task();
      await expect(live.change(version({ version: '2', golden: [sees('green')] }))).rejects.toMatchObject({
        code: 'EDGE_MODEL_GOLDEN',
      });
      expect(await model(user)).toBe('colours@1');
      await live.close();
    });
  });
});
