import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { denseModel } from '../../../bench/support/graph';
import { InferenceHost } from '../../../core/inference/host';
import type { TensorsResult } from '../../../core/message/results';
import { tensorValue } from '../../../core/message/tensor';
import type { GoldenSample } from '../../../core/model/golden';
import type { Manifest } from '../../../core/model/manifest';
import { openTask } from '../../../core/task';
import { checkGolden } from '../../../core/task/golden';
import { plain as picture } from '../media/pictures';
import { COLOURS, colourClassifier, colourDetector, Workshop } from './models';

const host = new InferenceHost(0);
const workshop = new Workshop();
const folder = join(workshop.folder, 'beside');
beforeAll(async () => {
  mkdirSync(join(folder, 'golden'), { recursive: true });
  writeFileSync(join(folder, 'golden', 'red.png'), await picture(40, 20, '#f00').png().toBuffer());
  writeFileSync(join(folder, 'golden', 'no.json'), 'no JSON');
  writeFileSync(join(workshop.folder, 'outside.png'), await picture(40, 20, '#f00').png().toBuffer());
  symlinkSync(join(workshop.folder, 'outside.png'), join(folder, 'link.png'));
});
afterAll(async () => {
  await host.close();
  workshop.remove();
});

const box = { x: 20, y: 10, width: 20, height: 10 };
const red = { label: 'red', score: 1, box };

function check(golden: GoldenSample, change: Partial<Manifest> = {}, bytes = colourDetector()) {
  const model = workshop.resolved(bytes, { ...COLOURS, ...change, golden: [golden] });
  return checkGolden({ ...model, folder }, {}, host);
}
const fails = (sentence: RegExp) => ({ code: 'EDGE_MODEL_GOLDEN', message: expect.stringMatching(sentence) });

describe('golden samples of a detector', () => {
  const input = 'golden/red.png';

  it('are met by the expected box', async () => {
    await expect(check({ input, expected: { detections: [red] } })).resolves.toBeUndefined();
  });

  it.each<[string, Partial<typeof red>, RegExp]>([
    ['another label', { label: 'blue' }, /sample 1 \(golden\/red\.png\): blue 1\.00 at 20,10 20x10 was not found/],
    ['another place', { box: { ...box, x: 0 } }, /expected red 1\.00 at 0,10 20x10, found red 1\.00 at 20,10/],
    ['another score', { score: 0.85 }, /expected red 0\.85 .* found red 1\.00/],
  ])('are not met by %s', async (_what, change, sentence) => {
    await expect(check({ input, expected: { detections: [{ ...red, ...change }] } })).rejects.toMatchObject(fails(sentence));
  });

  it('allow what their tolerance says', async () => {
    const shifted = { ...red, score: 0.7, box: { ...box, x: 25 } };
    await expect(check({ input, expected: { detections: [shifted] } })).rejects.toMatchObject(fails(/found red/));
    const tolerance = { score: 0.35, overlap: 0.5 };
    await expect(check({ input, expected: { detections: [shifted] }, tolerance })).resolves.toBeUndefined();
  });

  it('do not allow what nobody expects, from a score on', async () => {
    await expect(check({ input, expected: { detections: [] } })).rejects.toMatchObject(fails(/found red .* not expected/));
    await expect(check({ input, expected: { detections: [] }, scoreFrom: 0.95 })).resolves.toBeUndefined();
  });

  it.each([
    ['a file that is not there', 'golden/none.png', /golden\/none\.png cannot be read/],
    ['a link out of the folder', 'link.png', /it leads out of the folder/],
    ['a way out of the folder', '../outside.png', /it leads out of the folder/],
    ['no JSON', 'golden/no.json', /golden\/no\.json is not JSON/],
  ])('name %s', async (_what, path, sentence) => {
    await expect(check({ input: path, expected: { detections: [] } })).rejects.toMatchObject(fails(sentence));
  });

  it('that are files need a folder', async () => {
    const model = workshop.resolved(colourDetector(), { ...COLOURS, golden: [{ input, expected: { detections: [red] } }] });
    await expect(checkGolden(model, {}, host)).rejects.toMatchObject(fails(/nothing beside it/));
  });
});

describe('golden samples of other models', () => {
  it('compare the classes of a classifier', async () => {
    const classifier = { task: 'classification', output: { head: 'softmax', parameters: { softmax: false } } } as const;
    const sample = (score: number): GoldenSample => ({
      input: 'golden/red.png',
      expected: { classes: [{ label: 'red', score }] },
    });
    await expect(check(sample(1), classifier, colourClassifier())).resolves.toBeUndefined();
    await expect(check(sample(0.5), classifier, colourClassifier())).rejects.toMatchObject(fails(/"red" has 1, expected 0\.5/));
  });

  it('compare tensors number by number', async () => {
    const raw: Partial<Manifest> = { task: 'tensors', input: { kind: 'raw' }, output: { head: 'none' } };
    const bytes = denseModel(4, 8, 1);
    const input = [[1, 2, 3, 4]];
    const task = await openTask(workshop.resolved(bytes, { ...COLOURS, ...raw }), {}, host);
    const { result } = await task.run(input);
    await task.close();
    const y = Array.from(tensorValue((result as TensorsResult).tensors.y!).data, Number);
    await expect(check({ input, expected: { tensors: { y: [y] } } }, raw, bytes)).resolves.toBeUndefined();
    const off = y.map((value, index) => (index === 2 ? value + 0.5 : value));
    await expect(check({ input, expected: { tensors: { y: off } } }, raw, bytes)).rejects.toMatchObject(
      fails(/tensors\.y\[2\] is .*, expected/),
    );
    const tolerance = { absolute: 1 };
    await expect(check({ input, expected: { tensors: { y: off } }, tolerance }, raw, bytes)).resolves.toBeUndefined();
    await expect(check({ input, expected: { tensors: { z: off } } }, raw, bytes)).rejects.toMatchObject(fails(/no tensors\.z/));
    await expect(check({ input: [[1]], expected: { tensors: { y } } }, raw, bytes)).rejects.toMatchObject(
      fails(/sample 1: The input does not have the shape/),
    );
  });
});
