import { describeWith } from './needs';
import { NodeRed, VERSIONS } from './node-red';

describe.each(VERSIONS)('the Node-RED under test, $name', (version) => {
  describeWith(version.needs, 'runs', () => {
    it('deploys a flow, shows its debug messages and its log, and stops when asked', async () => {
      const nodeRed = await NodeRed.start({ version, password: 'secret' });
      try {
        const comms = await nodeRed.listen('debug');
        await nodeRed.deploy([
          { id: 'tab', type: 'tab', label: 'Flow' },
          {
            id: 'inject',
            type: 'inject',
            z: 'tab',
            x: 100,
            y: 100,
            props: [{ p: 'payload' }],
            payload: 'hello',
            payloadType: 'str',
            once: true,
            onceDelay: 0.1,
            wires: [['debug']],
          },
          {
            id: 'debug',
            type: 'debug',
            z: 'tab',
            x: 300,
            y: 100,
            active: true,
            tosidebar: true,
            complete: 'payload',
            targetType: 'msg',
            wires: [],
          },
        ]);
        const shown = await comms.waitFor(({ topic }) => topic === 'debug');
        expect(shown.data).toMatchObject({ id: 'debug', msg: 'hello' });
        expect((await nodeRed.request('GET', 'flows', { token: 'wrong' })).status).toBe(401);
        expect(await nodeRed.get('probe/routes')).toContainEqual({ method: 'GET', path: '/probe/routes' });
      } finally {
        expect(await nodeRed.stop()).toBe(true);
      }
      expect(nodeRed.running()).toBe(false);
    }, 120_000);
  });
});
