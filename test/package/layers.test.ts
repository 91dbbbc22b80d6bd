import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ROOT } from '../support/needs';

const script = join(ROOT, 'scripts', 'check-layers.mjs');

/** The check's verdict on a house of these files. */
function check(files: Record<string, string>): { status: number | null; faults: string } {
  const root = mkdtempSync(join(tmpdir(), 'edgeloom-layers-'));
  try {
    for (const [file, source] of Object.entries(files)) {
      mkdirSync(dirname(join(root, file)), { recursive: true });
      writeFileSync(join(root, file), source);
    }
    const { status, stderr } = spawnSync(process.execPath, [script, root], { encoding: 'utf8' });
    return { status, faults: stderr };
  } finally {
    rmSync(root, { recursive: true });
  }
}

const GROUND = {
  'core/errors.ts': 'export const ERRORS = {};',
  'core/message/frame.ts': "import { ERRORS } from '../errors';\nexport const frame = ERRORS;",
  'core/media/jpeg.ts': "import type { frame } from '../message/frame';\nexport type Jpeg = typeof frame;",
  'core/model/source.ts': 'export const source = 1;',
  'core/vision/event.ts': "export { source } from '../model/source';",
  'core/task/index.ts': "import { source } from '../vision/event';\nexport const task = source;",
  'core/task/options.ts': 'export interface Options { a: 1 }',
  'core/quantize/report.ts': "import '../model/source';\nexport const report = 1;",
  'nodes/common/status.ts': 'export const status = 1;',
  'nodes/edge-infer/edge-infer.ts':
    "import { task } from '../../core/task';\nimport { status } from '../common/status';\nexport = task + status;",
};

describe('the layer check', () => {
  it('passes on this repository', () => {
    const { status, stderr } = spawnSync(process.execPath, [script], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });

  it('passes on a house whose imports point down', () => {
    expect(check(GROUND)).toEqual({ status: 0, faults: '' });
  });

  const violations: [name: string, files: Record<string, string>, fault: RegExp][] = [
    ['an import upwards', { 'core/media/jpeg.ts': "import { task } from '../task';" }, /upwards: core\/media -> core\/task/],
    ['an import of types upwards', { 'core/message/frame.ts': "import type { Jpeg } from '../media/jpeg';" }, /upwards/],
    ['an import sideways', { 'core/media/jpeg.ts': "import '../model/source';" }, /sideways: core\/media -> core\/model/],
    ['two rooms of the highest floor', { 'core/quantize/report.ts': "import { task } from '../task';" }, /sideways/],
    ['a re-export', { 'core/media/jpeg.ts': "export * from '../model/source';" }, /sideways/],
    ['import()', { 'core/media/jpeg.ts': "export const later = () => import('../model/source');" }, /sideways/],
    ['require()', { 'core/media/jpeg.ts': "const a = require('../model/source');" }, /sideways/],
    ['an import type', { 'core/media/jpeg.ts': "export let a: typeof import('../model/source');" }, /sideways/],
    ['import over several lines', { 'core/media/jpeg.ts': 'import {\n  source,\n} from\n"../model/source";' }, /sideways/],
    ['a room without a floor', { 'core/extra/thing.ts': "import '../errors';" }, /no room/],
    ['Node-RED under core', { 'core/media/jpeg.ts': "import RED from 'node-red';" }, /knows no Node-RED/],
    ['types of Node-RED under core', { 'core/media/jpeg.ts': "import type { Node } from 'node-red';" }, /knows no Node-RED/],
    ["a part of Node-RED's under core", { 'core/task/index.ts': "import '@node-red/util';" }, /knows no Node-RED/],
    ['a node under core', { 'core/task/index.ts': "import '../../nodes/common/status';" }, /nothing above it/],
    ['a file that is not there', { 'core/task/index.ts': "import './gone';" }, /does not exist/],
    [
      'a circle inside a room',
      { 'core/media/a.ts': "import './b';", 'core/media/b.ts': "import './c';", 'core/media/c.ts': "import './a';" },
      /a circle: core\/media\/a.ts -> core\/media\/b.ts -> core\/media\/c.ts -> core\/media\/a.ts/,
    ],
    [
      'a node that imports another',
      { 'nodes/edge-a/edge-a.ts': "import '../edge-infer/edge-infer';" },
      /one node imports another: nodes\/edge-infer/,
    ],
    ['shared code that knows a node', { 'nodes/common/status.ts': "import '../edge-infer/edge-infer';" }, /knows none of them/],
    ['edge-infer past core/task', { 'nodes/edge-infer/runner.ts': "import '../../core/vision/event';" }, /uses core\/task/],
    [
      'edge-infer that runs core/message',
      { 'nodes/edge-infer/runner.ts': "import '../../core/message/frame';" },
      /uses core\/task/,
    ],
    [
      'an editor half that runs the engine',
      { 'nodes/edge-infer/edge-infer.editor.ts': "import { task } from '../../core/task';" },
      /only types of the engine/,
    ],
    ['a long node', { 'nodes/edge-a/edge-a.ts': 'export {};\n'.repeat(121) }, /has 121 lines/],
  ];
  it.each(violations)('refuses %s', (_name, files, fault) => {
    const verdict = check({ ...GROUND, ...files });
    expect(verdict.faults).toMatch(fault);
    expect(verdict.status).toBe(1);
  });

  it('lets two files share types in both directions, and edge-infer use types of the messages', () => {
    const files = {
      'core/media/a.ts': "import type { B } from './b';\nexport const a: B = 1;",
      'core/media/b.ts': "import { type a } from './a';\nexport type B = number;\nexport type A = typeof a;",
      'nodes/edge-infer/runner.ts': "import type { frame } from '../../core/message/frame';\nexport type F = typeof frame;",
    };
    expect(check({ ...GROUND, ...files })).toEqual({ status: 0, faults: '' });
  });
});
