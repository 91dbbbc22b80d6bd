import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeWith, ROOT } from '../support/needs';
import { type Comms, NODE_RED_4, NODE_RED_5, NodeRed, type Options, PALETTE } from '../support/node-red';
import { exampleFlows, LANGUAGES, NODE_TYPES } from '../support/palette';
import { Installation } from './installation';

interface Route {
  method: string;
  path: string;
}

interface NodeSet {
  id: string;
  name: string;
  types: string[];
  enabled: boolean;
  module: string;
  err?: string;
}

/** Nobody answers where the tests run, and FFmpeg may not be there; a node says so by one of these. */
const NOBODY_THERE =
  /^EDGE_(BROKER_(OFFLINE|UNREACHABLE|REFUSED|CREDENTIALS)|SOURCE_(UNREACHABLE|TIMEOUT)|FFMPEG_MISSING|MODEL_DOWNLOAD)\b/;

/** What Prometheus asks, who is no user of the editor. */
const METRICS = '/edgeloom/metrics';

describeWith(['registry', 'detector', 'sample'], 'the packed palette, installed by npm', () => {
  let installation: Installation;

  beforeAll(async () => {
    installation = await Installation.make();
  }, 600_000);
  afterAll(() => installation?.remove());

  it('is of a known size', async () => {
    const sizes = await installation.sizes();
    const total = sizes.reduce((sum, { mb }) => sum + mb, 0);
    const [first] = sizes;
    const platforms = await installation.runtimeSizes();
    const mine = platforms.find(({ platform }) => platform === `${process.platform}/${process.arch}`)?.mb ?? 0;
    const largest = sizes.slice(0, 6).map(({ name, mb }) => `${name} ${mb.toFixed(1)}`);
    process.stdout.write(
      `install_mb ${total.toFixed(0)}: ${sizes.length} packages, the largest ${largest.join(', ')}. onnxruntime-node's one tarball ` +
        `carries the libraries of ${platforms.map(({ platform, mb }) => `${platform} ${mb.toFixed(0)}`).join(', ')}; ` +
        `${process.platform}/${process.arch} uses ${mine.toFixed(0)} of them, so ${(total - (first?.mb ?? 0) + mine).toFixed(0)} are in use\n`,
    );
    expect(first?.name).toBe('onnxruntime-node');
    expect(platforms.length).toBeGreaterThan(1);
    expect(total - (first?.mb ?? 0)).toBeLessThan(80);
  });

  const places: { name: string; options: Options }[] = [
    { name: 'in Node-RED 4.1', options: { version: NODE_RED_4 } },
    { name: 'in Node-RED 5.0', options: { version: NODE_RED_5 } },
    {
      name: 'in Node-RED 4.1 under /red/ with a password',
      options: { version: NODE_RED_4, settings: { httpAdminRoot: '/red' }, password: 'a long password' },
    },
    {
      name: 'in Node-RED 5.0 under /red/ with a password',
      options: { version: NODE_RED_5, settings: { httpAdminRoot: '/red' }, password: 'a long password' },
    },
  ];
  describe.each(places)('$name', ({ name, options }) => {
    describeWith(options.version?.needs ?? [], 'from the start', () => {
      let nodeRed: NodeRed;

      beforeAll(async () => {
        nodeRed = await NodeRed.start({ ...options, userDir: await installation.copy(name.replace(/\W+/g, '-')) });
      }, 240_000);
      afterAll(async () => {
        if (nodeRed) expect(await nodeRed.stop()).toBe(true);
      }, 240_000);

      it('loads every node set without error', async () => {
        const sets = (await nodeRed.get<NodeSet[]>('nodes')).filter(({ module }) => module === PALETTE);
        expect(sets.map(({ name }) => name).sort()).toEqual(NODE_TYPES);
        expect(sets.filter(({ err, enabled }) => err || !enabled)).toEqual([]);
        expect(sets.flatMap(({ types }) => types).sort()).toEqual(NODE_TYPES);
        expect(nodeRed.entries(['fatal', 'error']).map(({ message }) => message)).toEqual([]);
      });

      it.each(LANGUAGES)('serves dialogs, help and labels in %s', async (language) => {
        const response = await nodeRed.request('GET', 'nodes', { headers: { Accept: 'text/html', 'Accept-Language': language } });
        const html = await response.text();
        const catalogues = await nodeRed.get<Record<string, unknown>>(`nodes/messages?lng=${language}`);
        for (const type of NODE_TYPES) {
          const built = join(ROOT, 'dist', 'nodes', type, 'locales', language);
          expect(html).toContain(`data-template-name="${type}"`);
          expect(html).toContain(readFileSync(join(built, `${type}.html`), 'utf8').trim());
          expect(catalogues[`${PALETTE}/${type}`]).toEqual(JSON.parse(readFileSync(join(built, `${type}.json`), 'utf8')));
        }
      });

      it('serves the icons', async () => {
        const icons = await nodeRed.get<Record<string, string[]>>('icons');
        expect([...(icons[PALETTE] ?? [])].sort()).toEqual(NODE_TYPES.map((type) => `${type}.svg`));
        for (const type of NODE_TYPES) {
          const response = await nodeRed.request('GET', `icons/${PALETTE}/${type}.svg`);
          expect(response.headers.get('content-type')).toContain('svg');
          expect(await response.text()).toBe(readFileSync(join(ROOT, 'icons', `${type}.svg`), 'utf8'));
        }
      });

      it('lets nobody use an admin route without permission', async () => {
        const all = (await nodeRed.get<Route[]>('probe/routes')).filter(({ path }) => String(path).startsWith('/edgeloom'));
        const routes = all.filter(({ path }) => path !== METRICS);
        expect(routes.length).toBeGreaterThan(0);
        for (const { method, path } of routes) {
          const address = path.slice(1).replace(/:\w+/g, 'none');
          const { status } = await nodeRed.request(method, address, { token: '' });
          if (options.password) expect([method, path, status]).toEqual([method, path, 401]);
          else expect([method, path, status]).not.toEqual([method, path, 401]);
          if (options.password) expect((await nodeRed.request(method, address, { token: 'forged' })).status).toBe(401);
          if (options.password && method === 'GET') expect((await nodeRed.request(method, address)).status).not.toBe(401);
        }
      });

      it('has its metrics behind a token of their own, which is not set: nothing is there for anybody', async () => {
        expect((await nodeRed.request('GET', METRICS.slice(1), { token: '' })).status).toBe(404);
        expect((await nodeRed.request('GET', METRICS.slice(1))).status).toBe(404);
      });

      it('lists every example and template in the Import dialog', async () => {
        expect(await listed(nodeRed)).toEqual([...expectedExamples().keys()].sort());
      });

      it.each([...expectedExamples()])(
        'imports, deploys and runs %s',
        async (path) => {
          const nodes = await nodeRed.get<Record<string, unknown>[]>(`library/examples/flows/${encodeURI(`${PALETTE}/${path}`)}`);
          const since = nodeRed.log.length;
          await nodeRed.deploy(nodes as never);
          const comms = await nodeRed.listen('debug', 'status/#');
          for (const node of nodes) {
            if (node.type === 'inject' && !node.once && !node.repeat)
              await nodeRed.request('POST', `inject/${node.id}`, { body: {} });
          }
          await settled(comms, nodes as never);
          const faults = nodeRed.entries(['fatal', 'error', 'warn'], since);
          expect(faults.filter(({ code, message }) => !NOBODY_THERE.test(code ?? message))).toEqual([]);
          expect(redStatuses(comms).filter((text) => !NOBODY_THERE.test(text))).toEqual([]);
          comms.close();
        },
        240_000,
      );
    });
  });
});

/** Path in the Import dialog, by what the repository holds: templates are shown by their titles. */
function expectedExamples(): Map<string, string> {
  return new Map(
    exampleFlows().map(({ file }) => {
      if (file.startsWith('examples/')) return [file.slice('examples/'.length).replace(/\.json$/, ''), file];
      const name = file.split('/')[1] ?? '';
      return [`templates/${name.replace(/-/g, ' ').replace(/^./, (letter) => letter.toUpperCase())}`, file];
    }),
  );
}

/** Every path under the palette in the library of examples; folders are texts, flows are objects with a name. */
async function listed(nodeRed: NodeRed, path = ''): Promise<string[]> {
  const entries = await nodeRed.get<(string | { fn: string })[]>(`library/examples/flows/${encodeURI(PALETTE + path)}`);
  const paths = await Promise.all(
    entries.map((entry) =>
      typeof entry === 'string' ? listed(nodeRed, `${path}/${entry}`) : [`${path}/${entry.fn.replace(/\.json$/, '')}`.slice(1)],
    ),
  );
  return paths.flat().sort();
}

/** Until every node that infers has given a result, or has said why not; at least two seconds for what goes wrong later. */
async function settled(comms: Comms, nodes: { id: string; type: string }[]): Promise<void> {
  const began = Date.now();
  const infers = nodes.filter(({ type }) => type === 'edge-infer');
  const fed = nodes.some(({ type }) => type === 'edge-replay');
  for (const { id } of fed ? infers : []) {
    await comms.waitFor(
      ({ topic, data }) => topic === `status/${id}` && ['green', 'red'].includes((data as { fill?: string }).fill ?? ''),
      90_000,
    );
  }
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, 2000 - (Date.now() - began))));
}

function redStatuses(comms: Comms): string[] {
  return comms.messages
    .filter(({ topic, data }) => topic?.startsWith('status/') && (data as { fill?: string }).fill === 'red')
    .map(({ data }) => (data as { text: string }).text);
}
