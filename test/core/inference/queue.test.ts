import { mulberry } from '../../../bench/support/graph';
import { BoundedQueue, type QueueOptions, type QueuePolicy } from '../../../core/inference/queue';

/** Work that ends when the test says so. */
function byHand() {
  const begun: { item: number; end(value?: number): void; fail(error: Error): void }[] = [];
  const work = (item: number) =>
    new Promise<number>((resolve, reject) => {
      begun.push({ item, end: (value = item * 10) => resolve(value), fail: reject });
    });
  return { begun, work };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));
const items = (begun: readonly { item: number }[]) => begun.map(({ item }) => item);

describe('a bounded queue', () => {
  it('works on one item after the other and gives each its value', async () => {
    const { begun, work } = byHand();
    const queue = new BoundedQueue<number, number>({ policy: 'wait', capacity: 10, work });
    const pushed = [1, 2, 3].map((item) => queue.push(item));
    expect(items(begun)).toEqual([1]);
    expect(queue.stats()).toMatchObject({ in: 3, waiting: 2, running: 1, oldestMs: expect.any(Number) });
    for (let turn = 0; turn < 3; turn++) {
      begun[turn]!.end();
      await settle();
    }
    expect(await Promise.all(pushed)).toEqual([10, 20, 30].map((value) => ({ dropped: false, value })));
    expect(queue.stats()).toEqual({ in: 3, out: 3, dropped: 0, failed: 0, waiting: 0, running: 0, oldestMs: 0 });
  });

  it('works on as many at a time as it is told', () => {
    const { begun, work } = byHand();
    const queue = new BoundedQueue<number, number>({ policy: 'wait', capacity: 5, concurrency: 3, work });
    for (let item = 0; item < 5; item++) void queue.push(item);
    expect(items(begun)).toEqual([0, 1, 2]);
    expect(queue.stats()).toMatchObject({ running: 3, waiting: 2 });
  });

  it('keeps only the newest under latest, whatever the capacity says', async () => {
    const { begun, work } = byHand();
    const queue = new BoundedQueue<number, number>({ policy: 'latest', capacity: 7, work });
    const pushed = [1, 2, 3, 4].map((item) => queue.push(item));
    expect(await pushed[1]).toEqual({ dropped: true });
    expect(await pushed[2]).toEqual({ dropped: true });
    begun[0]!.end();
    await settle();
    expect(items(begun)).toEqual([1, 4]);
  });

  it('drops the one that waited longest under drop-oldest', async () => {
    const { begun, work } = byHand();
    const queue = new BoundedQueue<number, number>({ policy: 'drop-oldest', capacity: 2, work });
    const pushed = [1, 2, 3, 4].map((item) => queue.push(item));
    expect(await pushed[1]).toEqual({ dropped: true });
    begun[0]!.end();
    await settle();
    expect(items(begun)).toEqual([1, 3]);
  });

  it('drops the one that comes under drop-newest', async () => {
    const { work } = byHand();
    const queue = new BoundedQueue<number, number>({ policy: 'drop-newest', capacity: 2, work });
    const pushed = [1, 2, 3, 4].map((item) => queue.push(item));
    expect(await pushed[3]).toEqual({ dropped: true });
    expect(queue.stats()).toMatchObject({ waiting: 2, dropped: 1 });
  });

  it('refuses with a code under wait when it is full', async () => {
    const { work } = byHand();
    const queue = new BoundedQueue<number, number>({ policy: 'wait', capacity: 1, work });
    void queue.push(1);
    void queue.push(2);
    await expect(queue.push(3)).rejects.toMatchObject({ code: 'EDGE_QUEUE_FULL' });
    expect(queue.stats()).toMatchObject({ in: 3, waiting: 1, running: 1, dropped: 1 });
  });

  it('passes on what the work threw, also when it threw at once, and goes on', async () => {
    const queue = new BoundedQueue<number, number>({
      policy: 'wait',
      capacity: 5,
      work: (item) => {
        if (item % 2 === 1) throw new Error(`odd ${item}`);
        return Promise.resolve(item);
      },
    });
    const outcomes = await Promise.allSettled([1, 2, 3].map((item) => queue.push(item)));
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected']);
    expect(queue.stats()).toMatchObject({ out: 1, failed: 2, running: 0 });
  });

  it('refuses what waits and what comes when it is closed, and lets work that began end', async () => {
    const { begun, work } = byHand();
    const queue = new BoundedQueue<number, number>({ policy: 'wait', capacity: 5, work });
    const running = queue.push(1);
    const waiting = queue.push(2);
    queue.close();
    await expect(waiting).rejects.toMatchObject({ code: 'EDGE_SESSION_CLOSED' });
    await expect(queue.push(3)).rejects.toMatchObject({ code: 'EDGE_SESSION_CLOSED' });
    begun[0]!.end();
    expect(await running).toEqual({ dropped: false, value: 10 });
    expect(queue.stats()).toMatchObject({ in: 3, out: 1, failed: 2, waiting: 0, running: 0 });
  });
});

describe('a queue whose rules change', () => {
  it('keeps what waits, however much, and lets the new rules hold for what comes', async () => {
    const { begun, work } = byHand();
    const queue = new BoundedQueue<number, number>({ policy: 'wait', capacity: 10, work });
    const pushed = [0, 1, 2, 3].map((item) => queue.push(item));
    queue.change({ policy: 'drop-newest', capacity: 1, work });
    expect(await queue.push(4)).toEqual({ dropped: true });
    expect(queue.stats()).toMatchObject({ in: 5, dropped: 1, waiting: 3, running: 1 });
    for (let turn = 0; turn < 4; turn++) {
      begun[turn]!.end();
      await settle();
    }
    expect(await Promise.all(pushed)).toEqual([0, 10, 20, 30].map((value) => ({ dropped: false, value })));
  });

  it('lets the newest alone wait once something comes under latest', async () => {
    const { work } = byHand();
    const queue = new BoundedQueue<number, number>({ policy: 'wait', capacity: 10, work });
    const pushed = [0, 1, 2, 3].map((item) => queue.push(item));
    queue.change({ policy: 'latest', work });
    expect(queue.stats()).toMatchObject({ waiting: 3, dropped: 0 });
    void queue.push(4);
    expect(await Promise.all(pushed.slice(1))).toEqual([{ dropped: true }, { dropped: true }, { dropped: true }]);
    expect(queue.stats()).toMatchObject({ in: 5, dropped: 3, waiting: 1, running: 1 });
  });

  it('begins at once with what more of it may be worked on, or no longer waits for a batch', async () => {
    const { begun, work } = byHand();
    const queue = new BoundedQueue<number, number>({
      policy: 'batch',
      capacity: 10,
      size: 5,
      longestWaitMs: 60_000,
      work: async (batch) => batch.map(Number),
    });
    void queue.push(1);
    void queue.push(2);
    expect(queue.stats()).toMatchObject({ waiting: 2 });
    queue.change({ policy: 'wait', capacity: 10, concurrency: 2, work });
    expect(items(begun)).toEqual([1, 2]);
  });
});

describe('a queue of batches', () => {
  const batches: (readonly number[])[] = [];
  const work = async (batch: readonly number[]) => {
    batches.push(batch);
    return batch.map((item) => item * 10);
  };
  beforeEach(() => batches.splice(0));

  it('works on a batch as soon as it is full', async () => {
    const queue = new BoundedQueue<number, number>({ policy: 'batch', size: 3, longestWaitMs: 60_000, capacity: 10, work });
    const pushed = [1, 2, 3, 4].map((item) => queue.push(item));
    expect(await Promise.all(pushed.slice(0, 3))).toEqual([10, 20, 30].map((value) => ({ dropped: false, value })));
    expect(batches).toEqual([[1, 2, 3]]);
    expect(queue.stats()).toMatchObject({ waiting: 1, out: 3 });
    pushed[3]!.catch(() => {});
    queue.close();
  });

  it('works on fewer when the first has waited long enough', async () => {
    const queue = new BoundedQueue<number, number>({ policy: 'batch', size: 3, longestWaitMs: 5, capacity: 10, work });
    expect(await Promise.all([queue.push(1), queue.push(2)])).toEqual([10, 20].map((value) => ({ dropped: false, value })));
    expect(batches).toEqual([[1, 2]]);
    await queue.push(3);
    expect(batches).toEqual([[1, 2], [3]]);
  });

  it('fails the whole batch when the work gives too few values', async () => {
    const queue = new BoundedQueue<number, number>({
      policy: 'batch',
      size: 2,
      longestWaitMs: 5,
      capacity: 4,
      work: async () => [1],
    });
    const outcomes = await Promise.allSettled([queue.push(1), queue.push(2)]);
    expect(outcomes).toMatchObject([{ reason: { code: 'EDGE_INTERNAL' } }, { reason: { code: 'EDGE_INTERNAL' } }]);
  });
});

describe.each<QueuePolicy>(['latest', 'drop-oldest', 'drop-newest', 'wait', 'batch'])(
  'in any order of events, the policy %s',
  (policy) => {
    it.each([1, 2, 3, 4, 5, 6, 7, 8])('loses count of nothing and keeps its bounds (seed %i)', async (seed) => {
      const random = mulberry(seed);
      const whole = (most: number) => Math.floor(random() * most);
      const capacity = 1 + whole(6);
      const concurrency = 1 + whole(3);
      const size = 1 + whole(4);
      const open: { settle(): void }[] = [];
      let most = 0;
      const later = <V>(value: V) =>
        new Promise<V>((resolve, reject) => {
          const fails = random() < 0.2;
          open.push({ settle: () => (fails ? reject(new Error('work')) : resolve(value)) });
          most = Math.max(most, open.length);
        });
      const options: QueueOptions<number, number> =
        policy === 'batch'
          ? { policy, size, longestWaitMs: 1, capacity, concurrency, work: (batch) => later(batch) }
          : { policy, capacity, concurrency, work: (item) => later(item) };
      const queue = new BoundedQueue<number, number>(options);
      const pushed: Promise<unknown>[] = [];
      const check = () => {
        const { in: all, out, dropped, failed, waiting, running } = queue.stats();
        expect(out + dropped + failed + waiting + running).toBe(all);
        expect(all).toBe(pushed.length);
        expect(waiting).toBeLessThanOrEqual(policy === 'latest' ? 1 : capacity);
        expect(running).toBeLessThanOrEqual(concurrency * (policy === 'batch' ? size : 1));
      };
      for (let step = 0; step < 300; step++) {
        const event = random();
        if (event < 0.55) {
          const item = step;
          pushed.push(
            queue.push(item).then(
              (result) => result.dropped || expect(result.value).toBe(item),
              () => {},
            ),
          );
        } else if (event < 0.85 && open.length > 0) open.splice(whole(open.length), 1)[0]!.settle();
        else await settle();
        check();
      }
      expect(most).toBeLessThanOrEqual(concurrency);
      queue.close();
      check();
      while (open.length > 0) {
        open.shift()!.settle();
        await settle();
      }
      await Promise.all(pushed);
      expect(queue.stats()).toMatchObject({ waiting: 0, running: 0, oldestMs: 0 });
      check();
    });
  },
);
