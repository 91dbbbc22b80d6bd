import { noise } from '../../core/media/pictures';
import { ROOT } from '../../support/needs';
import { helper, inbox, load, until } from '../flow';

const prepare = require(`${ROOT}/dist/nodes/edge-prepare/edge-prepare.js`);

beforeEach((done) => {
  helper.startServer(done);
});
afterEach(async () => {
  await helper.unload();
  await new Promise<void>((resolve) => helper.stopServer(() => resolve()));
});

test('an error that repeats reaches Catch nodes each time and never counts as completed', async () => {
  await load(prepare, [
    { id: 'prepare', type: 'edge-prepare', policy: 'wait', wires: [[]] },
    { id: 'complete', type: 'complete', scope: ['prepare'], wires: [['completed']] },
    { id: 'catch', type: 'catch', scope: ['prepare'], wires: [['caught']] },
    { id: 'completed', type: 'helper' },
    { id: 'caught', type: 'helper' },
  ]);
  const caught = inbox('caught');
  const completed = inbox('completed');
  for (let time = 0; time < 3; time++) helper.getNode('prepare').receive({ payload: 'no picture' } as never);
  await until(() => caught.messages.length === 3, 'three errors');
  for (const { error } of caught.messages) expect(error).toMatchObject({ code: expect.stringMatching(/^EDGE_/) });
  expect(completed.messages).toEqual([]);
});

/** How it goes on, every 30 seconds, is in log.test.ts. */
test('where nobody catches it, an error that repeats is logged once', async () => {
  const picture = await noise(16, 16).jpeg().toBuffer();
  await load(prepare, [
    { id: 'prepare', type: 'edge-prepare', policy: 'wait', wires: [['out']] },
    { id: 'out', type: 'helper' },
  ]);
  const out = inbox('out');
  const send = (payload: unknown) => helper.getNode('prepare').receive({ payload } as never);
  for (let time = 0; time < 5; time++) send('no picture');
  // In the order of the messages: when this one is through, so are the five.
  send(picture);
  await out.until(1);
  const [ERROR, WARN] = [20, 30];
  const log = helper.log().args.map(([entry]) => entry);
  const lines = log.filter(({ id, level }) => id === 'prepare' && (level === ERROR || level === WARN));
  expect(lines.map(({ level, msg }) => [level, (msg as { code?: string }).code])).toEqual([[ERROR, 'EDGE_FILE_NOT_FOUND']]);
});
