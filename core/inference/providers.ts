import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { EXECUTION_PROVIDERS, type ExecutionProvider } from './backend';

export interface ProviderState {
  id: ExecutionProvider;
  /** True when a session was made with it, and ran, on this machine. */
  present: boolean;
  /** Why not: a sentence without its full stop. */
  reason?: string;
}

/** How a note begins that says why another provider than the processor was not taken. */
export const ON_PROCESSOR = 'Runs on the processor';

const PROBE = join(__dirname, 'provider-probe.js');

/** Milliseconds for one try; drivers may take long to start, and a hung one must not keep anybody waiting. */
const TRY_MS = 30_000;

/** What was found out since this process began. */
const states = new Map<ExecutionProvider, Promise<ProviderState>>();
let listing: Promise<Answer> | undefined;

/**
 * What can compute here, tried once per process on a tiny graph, each provider in a child process of its own, one after the
 * other. Being in the binary is not enough: CUDA and TensorRT need libraries beside it, and all but `cpu` need a device.
 * Never rejects.
 */
export async function providers(): Promise<ProviderState[]> {
  const found: ProviderState[] = [];
  for (const id of EXECUTION_PROVIDERS) found.push(await providerState(id));
  return found;
}

/** Of one. Never rejects. */
export function providerState(id: ExecutionProvider): Promise<ProviderState> {
  const known = states.get(id) ?? tryOne(id);
  states.set(id, known);
  return known;
}

async function tryOne(id: ExecutionProvider): Promise<ProviderState> {
  listing ??= probe();
  const { held, error = 'onnxruntime-node did not answer' } = await listing;
  if (!held) return { id, present: false, reason: error };
  if (!held.includes(id)) return { id, present: false, reason: notHeld(id) };
  if (id === 'cpu') return { id, present: true };
  const { error: failure } = await probe(id);
  return failure === undefined ? { id, present: true } : { id, present: false, reason: reasonFor(id, failure) };
}

export interface Answer {
  held?: string[];
  error?: string;
}

/** What a child process that runs `script` says on its last line, or how it ended without. Never rejects. */
export function probe(provider?: string, script = PROBE, limitMs = TRY_MS): Promise<Answer> {
  return new Promise((resolve) => {
    const args = provider === undefined ? [script] : [script, provider];
    // What a driver prints would stand in Node-RED's log without a word on where it comes from.
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'], timeout: limitMs, killSignal: 'SIGKILL' });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-16_384);
    });
    child.on('error', ({ message }) => resolve({ error: message }));
    child.on('close', (code, signal) => {
      const answer = lastAnswer(output);
      // What broke on the way out broke after the run.
      if (answer && (code === 0 || answer.error !== undefined)) resolve(answer);
      else if (signal === 'SIGKILL') resolve({ error: `it did not answer within ${limitMs / 1000} s` });
      else resolve({ error: `trying it ended a process with ${signal ?? `exit code ${code}`}` });
    });
  });
}

function lastAnswer(output: string): Answer | undefined {
  try {
    return JSON.parse(output.trimEnd().split('\n').at(-1) ?? '') as Answer;
  } catch {
    return undefined;
  }
}

/** Where npm's onnxruntime-node holds each provider. */
const HELD_ON: Record<ExecutionProvider, string> = {
  cpu: 'every platform',
  cuda: 'Linux on x64',
  tensorrt: 'Linux on x64',
  dml: 'Windows',
  coreml: 'macOS on arm64',
  webgpu: 'Linux on x64, Windows and macOS on arm64',
};

function notHeld(id: ExecutionProvider): string {
  return `npm's onnxruntime-node holds it for ${HELD_ON[id]} only, this is ${process.platform} ${process.arch}`;
}

/** The engine's own words are long and name files of the machine on which it was built. */
function reasonFor(id: ExecutionProvider, failure: string): string {
  if ((id === 'cuda' || id === 'tensorrt') && /load shared library|libonnxruntime_providers/i.test(failure)) {
    return (
      'its libraries are not installed; with internet, "npm install --onnxruntime-node-install=cuda12 onnxruntime-node" in the ' +
      "Node-RED user directory fetches them, and NVIDIA's driver, CUDA 12 and cuDNN 9 must be there"
    );
  }
  const words = failure
    .split('\n')[0]
    ?.replace(/^.*?was false\.\s*/, '')
    .trim();
  return words?.slice(0, 200) || 'it gave no reason';
}
