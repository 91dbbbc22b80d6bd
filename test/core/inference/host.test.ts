import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { convolutionalModel } from '../../../bench/support/graph';
import { InferenceHost } from '../../../core/inference/host';

describe('the inference host', () => {
  const folder = mkdtempSync(join(tmpdir(), 'edgeloom-inference-'));
  const path = join(folder, 'small.onnx');
  writeFileSync(path, convolutionalModel(32, 8, 2));
  const image = { type: 'float32', shape: [1, 3, 32, 32], data: new Float32Array(3 * 32 * 32).fill(0.5) } as const;
  let host: InferenceHost;

  beforeEach(() => {
    host = new InferenceHost();
  });
  afterEach(() => host.close());
  afterAll(() => rmSync(folder, { recursive: true }));

  it('opens a model in a worker and runs it', async () => {
    const lease = await host.acquire({ path, sha256: 'small', placement: 'worker' });
    const { outputs, queueMs, runMs } = await lease.run({ image });
    expect(outputs.scores?.shape).toEqual([1, 8]);
    expect(queueMs).toBeGreaterThan(0);
    expect(runMs).toBeGreaterThan(0);
    await lease.release();
  });
});
