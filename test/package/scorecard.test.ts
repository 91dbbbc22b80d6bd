import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { ROOT } from '../support/needs';
import { NODE_RED_4 } from '../support/node-red';
import { exampleFlows, NODE_TYPES, registrations } from '../support/palette';

// Node-RED's own reading of version ranges.
const { satisfies } = createRequire(join(NODE_RED_4.folder, 'red.js'))('semver') as {
  satisfies(version: string, range: string): boolean;
};

interface PackageFile {
  name: string;
  license: string;
  keywords: string[];
  engines: { node: string };
  scripts: Record<string, string>;
  dependencies: Record<string, string>;
  'node-red': { version: string; nodes: Record<string, string> };
}

/** The rules of Node-RED's flow library, which cannot be asked offline, and our own. */
describe('the scorecard of the package', () => {
  const file = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as PackageFile;

  it('has a scoped name, the keyword, a licence and its text', () => {
    expect(file.name).toMatch(/^@[a-z]+\/node-red-/);
    expect(file.keywords).toContain('node-red');
    expect(file.license).toBe('MIT');
    expect(readFileSync(join(ROOT, 'LICENSE'), 'utf8')).toMatch(/^MIT License/);
  });

  it('admits the Node.js of Node-RED 4.1 and of Node-RED 5.0', () => {
    expect(satisfies('20.0.0', file.engines.node)).toBe(true);
    expect(satisfies('22.9.0', file.engines.node)).toBe(true);
    expect(satisfies('18.20.0', file.engines.node)).toBe(false);
  });

  it('admits Node-RED 4.1 and 5.0', () => {
    expect(satisfies('4.1.0', file['node-red'].version)).toBe(true);
    expect(satisfies('5.0.0', file['node-red'].version)).toBe(true);
  });

  it('has at most six hard dependencies and no install script', () => {
    expect(Object.keys(file.dependencies).length).toBeLessThanOrEqual(6);
    for (const script of ['preinstall', 'install', 'postinstall', 'prepare']) expect(file.scripts[script]).toBeUndefined();
  });

  it('lists every folder under nodes/ as a node set, and nothing else', () => {
    expect(NODE_TYPES.length).toBeGreaterThan(0);
    expect(file['node-red'].nodes).toEqual(Object.fromEntries(NODE_TYPES.map((type) => [type, `dist/nodes/${type}/${type}.js`])));
  });

  it.each(NODE_TYPES)('shows %s in an example', (type) => {
    const examples = exampleFlows().filter(({ nodes }) => nodes.some((node) => node.type === type));
    expect(examples.map((example) => example.file)).not.toEqual([]);
  });

  describe.each(NODE_TYPES)('the built editor file of %s', (type) => {
    const html = existsSync(join(ROOT, 'dist', 'nodes', type, `${type}.html`))
      ? readFileSync(join(ROOT, 'dist', 'nodes', type, `${type}.html`), 'utf8')
      : '';
    const found = registrations(html);
    const properties = found[0]?.properties ?? new Map();

    it('registers the type once, with a literal name and a literal object', () => {
      expect(found.map((registration) => registration.type)).toEqual([type]);
      expect(found[0]?.spreads).toBe(false);
      expect(properties.get('category')).toMatch(/^(config|edge AI-(input|function|output))$/);
      expect(properties.get('defaults')).toBeInstanceOf(Map);
      for (const [name, value] of properties.get('defaults') as Map<string, unknown>) {
        expect([name, value instanceof Map && value.has('value')]).toEqual([name, true]);
      }
    });

    it('has its dialog in the same file', () => {
      expect(html).toContain(`data-template-name="${type}"`);
    });

    if (properties.get('category') !== 'config') {
      it('says how it looks', () => {
        expect(properties.get('icon')).toBe(`${type}.svg`);
        expect(properties.get('inputs')).toEqual(expect.any(Number));
        expect(properties.get('outputs')).toEqual(expect.any(Number));
        const colours = { input: '#A6D8C8', function: '#8FC1E3', output: '#C9B8E8' };
        const kind = String(properties.get('category')).replace('edge AI-', '') as keyof typeof colours;
        expect(properties.get('color')).toBe(colours[kind]);
      });
    }
  });
});

describe('examples and templates', () => {
  it.each(exampleFlows().map(({ file, nodes }) => [file, nodes] as const))(
    '%s opens with a comment and holds no Function node',
    (file, nodes) => {
      if (file.startsWith('examples')) expect(file).toMatch(/^examples\/[a-z-]+\/\d\d - [A-Z].*\.json$/);
      const visible = nodes.filter((node) => typeof node.x === 'number');
      expect(visible[0]?.type).toBe('comment');
      expect(nodes.filter((node) => node.type === 'function')).toEqual([]);
      const ids = nodes.map((node) => node.id);
      expect(new Set(ids).size).toBe(ids.length);
      for (const node of visible) expect(ids).toContain(node.z);
      const wired = nodes.flatMap((node) => (Array.isArray(node.wires) ? node.wires.flat() : []));
      for (const id of wired) expect(ids).toContain(id);
    },
  );
});
