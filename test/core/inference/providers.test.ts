import { convolutionalModel } from '../../../bench/support/graph';
import { EXECUTION_PROVIDERS } from '../../../core/inference/backend';
import { InferenceHost } from '../../../core/inference/host';
import { probe, providerState, providers } from '../../../core/inference/providers';
import { modelFolder } from '../../support/models';

const folder = modelFolder();

describe('what can compute here', () => {
  it('is the processor, and every other provider or a sentence why not', async () => {
    const states = await providers();
    expect(states.map(({ id }) => id)).toEqual([...EXECUTION_PROVIDERS]);
    expect(states[0]).toEqual({ id: 'cpu', present: true });
    for (const { id, present, reason } of states) {
      if (!present) expect([id, reason]).toEqual([id, expect.stringMatching(/\w+ \w+/)]);
    }
    for (const id of EXECUTION_PROVIDERS) expect((await providerState(id)).id).toBe(id);
  }, 120_000);

  const elsewhere = process.platform === 'win32' ? 'coreml' : 'dml';
  it('says of a provider of another platform where it is', async () => {
    const { present, reason } = await providerState(elsewhere);
    expect(present).toBe(false);
    expect(reason).toContain(`this is ${process.platform} ${process.arch}`);
  }, 120_000);

  it('does not matter to a session whose provider does not take the model: it runs on the processor and says why', async () => {
    const host = new InferenceHost(0);
    const path = folder('model.onnx', convolutionalModel(16, 4, 1));
    const lease = await host.acquire({ path, sha256: 'model', placement: 'worker', options: { executionProvider: elsewhere } });
    expect(lease.info.notes).toEqual([
      expect.stringMatching(`^Runs on the processor: ${elsewhere} did not take this model \\(.*${elsewhere}.*\\)$`),
    ]);
    const image = { type: 'float32', shape: [1, 3, 16, 16], data: new Float32Array(768).fill(0.5) } as const;
    expect((await lease.run({ image })).outputs.scores!.shape).toEqual([1, 4]);
    await host.close();
  });
});

describe('a provider that misbehaves while it is tried', () => {
  it.each([
    ['kills its process', "process.kill(process.pid, 'SIGSEGV')", 'trying it ended a process with SIGSEGV'],
    ['ends it', "console.log('a driver’s last words'); process.exit(3)", 'trying it ended a process with exit code 3'],
    ['hangs', "process.on('SIGTERM', () => {}); for (;;);", 'it did not answer within 0.5 s'],
  ])('is absent when it %s', async (_name, script, error) => {
    const path = folder('misbehaves.js', script);
    expect(await probe('webgpu', path, script.includes('for') ? 500 : 30_000)).toEqual({ error });
  });

  it('is present when it worked, whatever its drivers print', async () => {
    const path = folder('noisy.js', "console.log('Warning: no vkFoo'); console.log('{}');");
    expect(await probe('webgpu', path)).toEqual({});
  });
});
