import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { convolutionalModel } from '../../../../bench/support/graph';
import type { EdgeError } from '../../../../core/errors';
import type { ImageInput } from '../../../../core/model/manifest';
import { foldImageInput } from '../../../../core/model/onnx/fold-input';
import { foldedModel, readMetadata } from '../../../../core/model/onnx/graph-thread';
import { modelMetadata } from '../../../../core/model/onnx/metadata';
import { modelFolder } from '../../../support/models';
import { ROOT } from '../../../support/needs';

const write = modelFolder();
const path = write('small.onnx', convolutionalModel(32, 8, 2));
const input: ImageInput = {
  kind: 'image',
  name: 'image',
  width: 32,
  height: 32,
  layout: 'NCHW',
  colours: 'rgb',
  mean: [0],
  scale: [1 / 255],
  fit: 'stretch',
};

describe('graphs on a thread of their own', () => {
  it('are read and rewritten as they are on this one', async () => {
    const metadata = await readMetadata(path);
    expect(metadata).toEqual(modelMetadata(readFileSync(path)));
    expect(Object.getPrototypeOf(metadata.properties)).toBeNull();
    const folded = await foldedModel(path, { input: input });
    expect(Buffer.from(folded).equals(foldImageInput(readFileSync(path), input))).toBe(true);
  });

  it('give every one who asks at the same time their own answer', async () => {
    const channels = [1, 2, 3, 4, 5, 6, 7, 8];
    const paths = channels.map((count) => write(`${count}.onnx`, convolutionalModel(32, count, 1)));
    const all = await Promise.all(paths.map((one) => readMetadata(one)));
    expect(all.map(({ outputs }) => outputs[0]!.shape)).toEqual(channels.map((count) => [1, count]));
  });

  it.each([
    ['no model', Buffer.from('this is no model'), 'EDGE_MODEL_INVALID'],
    ['half of one', convolutionalModel(32, 8, 2).subarray(0, 500), 'EDGE_MODEL_INVALID'],
  ])('refuse %s with the same code and sentence', async (_name, bytes, code) => {
    const damaged = write('damaged.onnx', bytes);
    let here: EdgeError | undefined;
    try {
      modelMetadata(readFileSync(damaged));
    } catch (thrown) {
      here = thrown as EdgeError;
    }
    const there: EdgeError = await readMetadata(damaged).catch((thrown) => thrown);
    expect(here?.code).toBe(code);
    expect({ code: there.code, message: there.message }).toEqual({ code, message: here?.message });
    await expect(readMetadata(join(ROOT, 'no such file'))).rejects.toMatchObject({ code: 'EDGE_MODEL_NOT_FOUND' });
  });

  it('leave the event loop its turns', async () => {
    const large = write('large.onnx', convolutionalModel(32, 256, 12));
    let turns = 0;
    let done = false;
    const count = () => {
      turns += 1;
      if (!done) setImmediate(count);
    };
    setImmediate(count);
    await foldedModel(large, { input: input });
    done = true;
    expect(turns).toBeGreaterThan(50);
  });

  it('do not keep a process that has nothing else to do', () => {
    const script = `require(${JSON.stringify(join(ROOT, 'dist', 'core', 'model', 'onnx', 'graph-thread.js'))})
      .readMetadata(${JSON.stringify(path)}).then(({ outputs }) => console.log(outputs[0].name));`;
    const { status, stdout } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8', timeout: 80_000 });
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'scores\n' });
  });
});
