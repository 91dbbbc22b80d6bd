import { onnxruntimeNode } from './backends/onnxruntime-node';

/**
 * A process of its own that tries one execution provider, named as its argument, on a graph of one sum, or lists those that the
 * binding holds: what a provider does while it starts (drivers, other libraries) may end a process, and that must not be
 * Node-RED's. Its last line of output is JSON, {held} or {error}.
 */
const [provider] = process.argv.slice(2);

/** y = x + x, float32 [1]: ONNX, IR version 8, operator set 13. */
const SUM = Buffer.from('CAg6OQoOCgF4CgF4EgF5IgNBZGQSBWdyYXBoWg8KAXgSCgoICAESBAoCCAFiDwoBeRIKCggIARIECgIIAUICEA0=', 'base64');

void main();

async function main(): Promise<void> {
  try {
    // Its way of saying that the runtime is missing.
    await onnxruntimeNode.load();
    const ort = require('onnxruntime-node') as typeof import('onnxruntime-node');
    const { listSupportedBackends } = ort as { listSupportedBackends?: () => { name: string }[] };
    if (provider === undefined) {
      answer({ held: listSupportedBackends?.().map(({ name }) => name) ?? ['cpu'] });
      return;
    }
    const session = await ort.InferenceSession.create(SUM, { executionProviders: [provider], logSeverityLevel: 4 });
    const { y } = await session.run({ x: new ort.Tensor('float32', Float32Array.of(2), [1]) });
    answer(y?.data[0] === 4 ? {} : { error: `2 + 2 gave ${y?.data[0]}` });
  } catch (thrown) {
    answer({ error: thrown instanceof Error ? thrown.message : String(thrown) });
  }
}

function answer(value: object): void {
  process.stdout.write(`\n${JSON.stringify(value)}\n`);
}
