import { convolutionalModel } from '../../../bench/support/graph';
import { EdgeError } from '../../../core/errors';
import { InferenceHost } from '../../../core/inference/host';
import type { TensorsResult } from '../../../core/message/results';
import type { Manifest } from '../../../core/model/manifest';
import { openTask, type Task } from '../../../core/task';
import { LiveTask } from '../../../core/task/live-task';
import { COLOURS, Workshop } from './models';

const workshop = new Workshop();
let host: InferenceHost;
beforeEach(() => {
  host = new InferenceHost(0);
});
afterEach(() => host.close());
afterAll(() => workshop.remove());

/** Models of tensors by the side of their picture: 192 takes many times as long as 32. */
const sizes = { slow: 192, quick: 32 };
const bytes = { slow: convolutionalModel(sizes.slow, 24, 4), quick: convolutionalModel(sizes.quick, 4, 2) };

function open(name: keyof typeof sizes, id: string = name): Promise<Task> {
  const manifest: Manifest = { ...COLOURS, id, version: '1', task: 'tensors', input: { kind: 'raw' }, output: { head: 'none' } };
  return openTask(workshop.resolved(bytes[name], manifest), { placement: 'worker' }, host);
}
const picture = (side: number) => new Float32Array(3 * side * side).fill(0.5);
const modelOf = async (run: ReturnType<Task['run']>) => ((await run).result as TensorsResult).model;
const sessions = () => host.stats().sessions.map(({ leases }) => leases);
const until = async (done: () => boolean) => {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 5));
};

describe('a task whose model is changed while it runs', () => {
  it('ends what has begun on the old model, begins what comes on the new one, and keeps the order', async () => {
    const live = new LiveTask(await open('slow'));
    const order: string[] = [];
    const run = async (side: number) => order.push(await modelOf(live.run(picture(side))));
    const before = [run(sizes.slow), run(sizes.slow), run(sizes.slow)];
    expect(await live.change(() => open('quick'))).toBe(true);
    const after = [run(sizes.quick), run(sizes.quick)];
    await Promise.all([...before, ...after]);
    expect(order).toEqual(['slow@1', 'slow@1', 'slow@1', 'quick@1', 'quick@1']);
    expect(live.info.manifest.id).toBe('quick');
    await live.close();
  });

  it('drops the old session whole once its runs are through', async () => {
    const live = new LiveTask(await open('slow'));
    const last = live.run(picture(sizes.slow));
    await live.change(() => open('quick'));
    await expect(last).resolves.toBeDefined();
    await until(() => host.stats().sessions.length === 1);
    expect(host.stats().sessions[0]?.info.inputs[0]?.shape).toEqual([1, 3, sizes.quick, sizes.quick]);
    await live.close();
  });

  it('keeps the old model where the new one cannot be opened', async () => {
    const live = new LiveTask(await open('quick'));
    const damaged = async () => {
      throw new EdgeError('EDGE_MODEL_INVALID');
    };
    await expect(live.change(damaged)).rejects.toMatchObject({ code: 'EDGE_MODEL_INVALID' });
    expect(await modelOf(live.run(picture(sizes.quick)))).toBe('quick@1');
    expect(await live.change(() => open('quick', 'mended'))).toBe(true);
    expect(await modelOf(live.run(picture(sizes.quick)))).toBe('mended@1');
    await live.close();
  });

  it('opens one model at a time, and the newest that was asked for wins', async () => {
    const live = new LiveTask(await open('quick', 'first'));
    let opening = 0;
    let most = 0;
    const next = (id: string) => async () => {
      opening += 1;
      most = Math.max(most, opening);
      const task = await open('quick', id);
      opening -= 1;
      return task;
    };
    const changes = ['second', 'third', 'fourth'].map((id) => live.change(next(id)));
    expect(await Promise.all(changes)).toEqual([false, false, true]);
    expect(most).toBe(1);
    expect(await modelOf(live.run(picture(sizes.quick)))).toBe('fourth@1');
    await until(() => sessions().every((leases) => leases === 1));
    await live.close();
  });

  it('calls off the change under way, and lets go of what it opened, when it is closed', async () => {
    const live = new LiveTask(await open('quick', 'first'));
    let arrive = () => {};
    const arrived = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    let calledOff: AbortSignal | undefined;
    const change = live.change(async (signal) => {
      calledOff = signal;
      await arrived;
      return open('slow');
    });
    await until(() => calledOff !== undefined);
    await live.close();
    expect(calledOff?.aborted).toBe(true);
    arrive();
    expect(await change).toBe(false);
    await until(() => sessions().length === 0);
    await expect(live.run(picture(sizes.quick))).rejects.toMatchObject({ code: 'EDGE_SESSION_CLOSED' });
  });
});
