import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { plain } from '../../core/media/pictures';
import { COLOURS, colourDetector } from '../../core/task/models';
import { freePort, Mosquitto } from '../../support/broker';
import { readExposition, valueIn } from '../../support/exposition';
import { describeWith, ROOT } from '../../support/needs';
import { type FlowNode, NodeRed, PALETTE, VERSIONS } from '../../support/node-red';

const TOKEN = 'a-token-of-this-test-0123456789';
const PATH = 'edgeloom/metrics';
const OPENMETRICS = 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5';

let folder: string;
let picture: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'edgeloom-metrics-'));
  writeFileSync(join(folder, 'colours.onnx'), colourDetector());
  writeFileSync(join(folder, 'colours.json'), JSON.stringify({ ...COLOURS, source: undefined }));
  picture = (await plain(40, 20, '#f00').png().toBuffer()).toString('base64');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const tab = { id: 'tab', type: 'tab', label: 'Flow' };
let column = 0;
const at = (node: FlowNode): FlowNode => ({ z: 'tab', x: 100 + 10 * column++, y: 100, wires: [], ...node });
const inject = (id: string, payload: string, to: string[]) =>
  at({ id, type: 'inject', props: [{ p: 'payload' }], payload, payloadType: 'str', wires: [to] });

async function scrape(nodeRed: NodeRed, accept = 'text/plain', token = TOKEN) {
  const response = await nodeRed.request('GET', PATH, { token, headers: { Accept: accept } });
  const text = await response.text();
  expect([response.status, text.slice(0, 200)]).toEqual([200, expect.anything()]);
  const format = response.headers.get('content-type')!.startsWith('application/openmetrics') ? 'openmetrics' : 'prometheus';
  return { text, format, read: readExposition(text, format) };
}

/** Scrapes until what is looked for is there. */
async function scraped(nodeRed: NodeRed, name: string, labels: Record<string, string>, wanted: (value: number) => boolean) {
  const end = Date.now() + 30_000;
  for (;;) {
    const { read, text } = await scrape(nodeRed);
    const value = valueIn(read, name, labels);
    if (value !== undefined && wanted(value)) return read;
    if (Date.now() > end) throw new Error(`${name} ${JSON.stringify(labels)} is ${value}\n${text}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe.each(VERSIONS)('metrics in Node-RED $name', (version) => {
  describeWith([...version.needs, 'mosquitto'], 'of a flow', () => {
    let nodeRed: NodeRed;
    let broker: Mosquitto;
    beforeAll(async () => {
      broker = await Mosquitto.start();
      // With adminAuth, as a plant would have it: the scraper has no account, only the token.
      nodeRed = await NodeRed.start({ version, password: 'secret', settings: { edgeloom: { metricsToken: TOKEN } } });
    }, 120_000);
    afterAll(async () => {
      await nodeRed?.stop();
      await broker?.stop();
    }, 60_000);

    const flow = (): FlowNode[] => [
      tab,
      { id: 'model', type: 'edge-model', name: 'the model', source: join(folder, 'colours.onnx') },
      { id: 'broker', type: 'edge-broker', address: `127.0.0.1:${broker.port}` },
      inject('good', picture, ['infer']),
      inject('bad', 'no picture at all', ['infer']),
      at({ id: 'infer', type: 'edge-infer', name: 'gate "1"\nforged 1', model: 'model', policy: 'wait', wires: [['publish']] }),
      at({ id: 'publish', type: 'edge-publish', broker: 'broker', topic: 'test/result' }),
    ];
    const push = (id: string) => nodeRed.request('POST', `inject/${id}`);

    it('count what goes through each node, what the model did and what the broker took', async () => {
      await nodeRed.deploy(flow());
      await scraped(nodeRed, 'edgeloom_broker_connected', { id: 'broker' }, (value) => value === 1);
      for (let time = 0; time < 3; time++) await push('good');
      await scraped(nodeRed, 'edgeloom_broker_published_total', { id: 'broker' }, (value) => value === 3);
      await push('bad');
      const read = await scraped(nodeRed, 'edgeloom_node_errors_total', { id: 'infer' }, (value) => value === 1);
      const infer = { id: 'infer', type: 'edge-infer', name: 'gate "1" forged 1' };
      expect(valueIn(read, 'edgeloom_node_messages_received_total', infer)).toBe(4);
      expect(valueIn(read, 'edgeloom_node_messages_sent_total', infer)).toBe(3);
      expect(valueIn(read, 'edgeloom_queue_dropped_total', infer)).toBe(0);
      expect(valueIn(read, 'edgeloom_node_state', { ...infer, state: 'failed' })).toBe(1);
      const model = { model: 'colours', backend: 'onnxruntime-node' };
      expect(valueIn(read, 'edgeloom_inference_sessions', model)).toBe(1);
      // Beside these three, the one that tries the model on a grey picture.
      expect(valueIn(read, 'edgeloom_inference_run_seconds_count', model)).toBe(4);
      expect(valueIn(read, 'edgeloom_inference_load_seconds', model)).toBeGreaterThan(0);
      expect(valueIn(read, 'edgeloom_broker_in_flight', { id: 'broker' })).toBe(0);
      expect(valueIn(read, 'edgeloom_frame_memory_limit_bytes')).toBeGreaterThan(0);
      expect(valueIn(read, 'process_resident_memory_bytes')).toBeGreaterThan(1e7);
      await scraped(nodeRed, 'edgeloom_event_loop_delay_p99_seconds', {}, (value) => value >= 0);
      expect(read.get('edgeloom_build_info')!.samples[0]!.labels).toMatchObject({
        node_red: expect.stringContaining(version.name),
      });
    }, 90_000);

    it('come as OpenMetrics to whoever prefers that', async () => {
      const { read, format, text } = await scrape(nodeRed, OPENMETRICS);
      expect(format).toBe('openmetrics');
      expect(read.get('edgeloom_inference_run_seconds')).toMatchObject({ type: 'histogram', unit: 'seconds' });
      expect(text).not.toMatch(/secret|a-token/);
      const page = readFileSync(join(ROOT, 'docs', 'metrics.md'), 'utf8');
      const names = [...read.values()].flatMap(({ samples }) =>
        samples.map(({ name }) => name.replace(/_(bucket|sum|count)$/, '')),
      );
      expect([...new Set(names)].filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
    }, 30_000);

    it('say of a camera how many pictures came, how old the last is, and how often it came back', async () => {
      let up = true;
      const jpeg = await plain(40, 20, '#f00').jpeg().toBuffer();
      const camera = createServer((_request, response) => {
        if (up) response.writeHead(200, { 'content-type': 'image/jpeg' }).end(jpeg);
        else response.writeHead(503).end();
      });
      await new Promise<void>((resolve) => camera.listen(0, '127.0.0.1', resolve));
      try {
        const { port } = camera.address() as AddressInfo;
        const url = `http://127.0.0.1:${port}/snap.jpg`;
        const settings = { url, kind: 'snapshot', framesPerSecond: '20', start: 'deploy', wires: [['preview']] };
        await nodeRed.deploy([
          tab,
          at({ id: 'camera', type: 'edge-camera', name: 'gate', ...settings }),
          at({ id: 'preview', type: 'edge-preview' }),
        ]);
        const labels = { id: 'camera', type: 'edge-camera', name: 'gate' };
        const read = await scraped(nodeRed, 'edgeloom_source_frames_total', labels, (value) => value >= 5);
        expect(valueIn(read, 'edgeloom_source_frames_per_second', labels)).toBeGreaterThan(0);
        expect(valueIn(read, 'edgeloom_source_reconnects_total', labels)).toBe(0);
        expect(valueIn(read, 'edgeloom_node_messages_received_total', { id: 'preview' })).toBeGreaterThanOrEqual(5);
        up = false;
        await scraped(nodeRed, 'edgeloom_node_state', { ...labels, state: 'failed' }, (value) => value === 1);
        await scraped(nodeRed, 'edgeloom_source_frame_age_seconds', labels, (value) => value > 0.2);
        up = true;
        await scraped(nodeRed, 'edgeloom_source_reconnects_total', labels, (value) => value >= 1);
        await scraped(nodeRed, 'edgeloom_node_state', { ...labels, state: 'running' }, (value) => value === 1);
      } finally {
        camera.closeAllConnections();
        await new Promise((resolve) => camera.close(resolve));
      }
    }, 90_000);

    it('are served on while the palette is switched off and after it is on again', async () => {
      await nodeRed.deploy([tab]);
      for (const enabled of [false, true]) {
        const body = { enabled };
        const response = await nodeRed.request('PUT', `nodes/${PALETTE}`, { body });
        expect(response.status).toBe(200);
        const { read } = await scrape(nodeRed);
        expect(read.has('edgeloom_build_info')).toBe(true);
      }
      await nodeRed.deploy(flow());
      await push('bad');
      await scraped(nodeRed, 'edgeloom_node_errors_total', { id: 'infer' }, (value) => value === 1);
    }, 60_000);

    it('are the same series after redeploys, and none once the nodes are gone', async () => {
      await nodeRed.deploy(flow());
      await scraped(nodeRed, 'edgeloom_broker_connected', { id: 'broker' }, (value) => value === 1);
      await scraped(nodeRed, 'edgeloom_inference_sessions', { model: 'colours' }, (value) => value === 1);
      const namesOf = (text: string) =>
        text
          .split('\n')
          .filter((line) => line !== '' && !line.startsWith('#'))
          .map((line) => line.replace(/ [^ ]+$/, ''))
          // A session that is given up lives on for a moment, and states and errors come as they come.
          .filter((name) => /^edgeloom_(node_messages|queue|broker)_/.test(name))
          .sort();
      const before = namesOf((await scrape(nodeRed)).text);
      for (let time = 0; time < 100; time++) await nodeRed.deploy(flow());
      expect(namesOf((await scrape(nodeRed)).text)).toEqual(before);
      await nodeRed.deploy([tab]);
      const end = Date.now() + 30_000;
      const leftOf = (text: string) =>
        text.split('\n').filter((line) => /^edgeloom_(node|queue|broker|source|inference_(?!hung))/.test(line));
      let left: string[];
      do left = leftOf((await scrape(nodeRed)).text);
      while (left.length > 0 && Date.now() < end);
      expect(left).toEqual([]);
    }, 180_000);

    it('are for nobody without the token, and after ten wrong ones nobody is answered', async () => {
      const ask = (headers: Record<string, string>) =>
        fetch(new URL(PATH, nodeRed.url), { headers }).then(({ status, headers: answered }) => [
          status,
          answered.get('www-authenticate') ?? answered.get('retry-after'),
        ]);
      const wrong = [
        {},
        { Authorization: 'Bearer ' },
        { Authorization: `Bearer ${TOKEN}x` },
        { Authorization: `Basic ${Buffer.from(`u:${TOKEN}`).toString('base64')}` },
        { Authorization: TOKEN },
      ];
      for (const headers of [...wrong, ...wrong])
        expect(await ask(headers as Record<string, string>)).toEqual([401, expect.stringMatching(/^Bearer/)]);
      expect(await ask({})).toEqual([429, expect.stringMatching(/^\d+$/)]);
      expect((await fetch(new URL(`${PATH}?token=${TOKEN}`, nodeRed.url))).status).toBe(429);
      const lines = nodeRed.log.filter(({ message }) => /wrong token/.test(message));
      expect(lines).toHaveLength(1);
      expect(nodeRed.log.filter(({ message }) => message.includes(TOKEN))).toEqual([]);
    }, 30_000);
  });

  describeWith(version.needs, 'without a token', () => {
    it('are not there', async () => {
      const nodeRed = await NodeRed.start({ version, settings: {} });
      try {
        expect((await nodeRed.request('GET', PATH, { token: 'undefined' })).status).toBe(404);
      } finally {
        await nodeRed.stop();
      }
    }, 120_000);
  });

  describeWith(version.needs, 'with a token from the environment, and without the editor', () => {
    it('are below the address of the flows', async () => {
      const nodeRed = await NodeRed.start({
        version,
        settings: { httpAdminRoot: false, httpNodeRoot: '/flows', uiPort: await freePort() },
        env: { EDGELOOM_METRICS_TOKEN: TOKEN },
      });
      try {
        const url = new URL('flows/edgeloom/metrics', nodeRed.url);
        const response = await fetch(url, { headers: { Authorization: `Bearer ${TOKEN}` } });
        expect(readExposition(await response.text(), 'prometheus').has('edgeloom_build_info')).toBe(true);
        expect((await fetch(url)).status).toBe(401);
      } finally {
        await nodeRed.stop();
      }
    }, 120_000);
  });
});
