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
