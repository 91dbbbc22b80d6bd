import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { asEdgeError, EdgeError, ERRORS } from '../errors';
import type { ExecutionProvider } from '../inference/backend';
import type { InferenceHost, Lease } from '../inference/host';
import { ON_PROCESSOR, providerState } from '../inference/providers';
import type { ResolvedModel } from '../model/manifest';
import { dequantizedModel } from '../model/onnx/graph-thread';
import { ModelStore } from '../model/store';
import { sessionOptions } from './session-options';
import type { TaskOptions } from './task';

const NATIVE = 'onnxruntime-node';
const WEB = 'onnxruntime-web';

/** Changes whenever dequantizeModel writes other graphs for the same model: the files made before are then made anew. */
const FLOAT_RECIPE = 'float-1';

export interface Acquired {
  lease: Lease;
  /** What whoever looks after the flow should know: another engine or provider than the one asked for. Sentences. */
  warnings: string[];
}

/** The file that is run, which may be made from the model's own. */
export interface Runnable {
  path: string;
  sha256: string;
}

/**
 * A session of a model, with the engine and the provider that were asked for where they are here, else with what is, and why.
 * @throws EDGE_RUNTIME_MISSING when no engine runs; what `InferenceHost.acquire` throws.
 */
export async function acquire(
  host: InferenceHost,
  runnable: Runnable,
  model: ResolvedModel,
  options: TaskOptions,
): Promise<Acquired> {
  const { backend = 'auto' } = options;
  if (backend === WEB) return acquireWeb(host, runnable, model, options, []);
  try {
    return await acquireNative(host, runnable, model, options);
  } catch (thrown) {
    const missing = asEdgeError(thrown);
    if (backend !== 'auto' || missing.code !== 'EDGE_RUNTIME_MISSING') throw thrown;
    return await acquireWeb(host, runnable, model, options, [`${SLOWER}. ${missing.message}`]).catch((failed) => {
      throw asEdgeError(failed).code === 'EDGE_RUNTIME_MISSING' ? bothMissing(missing, asEdgeError(failed)) : failed;
    });
  }
}

const SLOWER = 'Runs in WebAssembly, which took 2 to 10 times as long where it was measured';

async function acquireNative(
  host: InferenceHost,
  runnable: Runnable,
  model: ResolvedModel,
  options: TaskOptions,
): Promise<Acquired> {
  const asked = providerOf(options);
  // The processor is not tried: opening the model says itself what is wrong.
  const { present, reason } = asked === 'cpu' ? { present: true } : await providerState(asked);
  const executionProvider = present ? asked : 'cpu';
  const optimised = { folder: join(model.storeFolder, 'optimised'), name: `${model.sha256}-${short(runnable)}` };
  const spec = sessionOptions(model, options);
  const engine = { ...spec.options, executionProvider, optimised };
  const lease = await host.acquire({ ...runnable, ...spec, backend: NATIVE, options: engine });
  if (!present) {
    const warning = `${ON_PROCESSOR}: ${asked} cannot be used here, ${reason}`;
    return { lease: withNotes(lease, [warning]), warnings: [warning] };
  }
  // The provider is there, and did not take this model.
  return { lease, warnings: lease.info.notes.filter((note) => note.startsWith(ON_PROCESSOR)) };
}

async function acquireWeb(
  host: InferenceHost,
  runnable: Runnable,
  model: ResolvedModel,
  options: TaskOptions,
  warnings: string[],
): Promise<Acquired> {
  const asked = providerOf(options);
  if (asked !== 'cpu') warnings.push(`${ON_PROCESSOR}: WebAssembly knows no ${asked}`);
  const { note, ...float } = await inFloat(runnable, model);
  const lease = await host.acquire({ ...float, ...sessionOptions(model, options), backend: WEB });
  return { lease: withNotes(lease, [...warnings, ...(note === undefined ? [] : [note])]), warnings };
}

/** Enough of the hash of the file that is run to tell those apart that were made from one model. */
function short({ sha256 }: Runnable): string {
  return sha256.slice(0, 16);
}

function providerOf({ executionProvider = 'auto' }: TaskOptions): ExecutionProvider {
  return executionProvider === 'auto' ? 'cpu' : executionProvider;
}

/** Where 8 bits are no faster than float, a model that was quantized is made float, once. */
async function inFloat(
  runnable: Runnable,
  { manifest, sha256, storeFolder }: ResolvedModel,
): Promise<Runnable & { note?: string }> {
  if (manifest.quantization !== 'int8') return runnable;
  // Under the model's own hash, with which the store removes what was made from it.
  const recipe = `${FLOAT_RECIPE}-${short(runnable)}`;
  try {
    const path = await new ModelStore(storeFolder).derive(sha256, recipe, () => dequantized(runnable.path));
    const note = 'Its 8-bit values were made float once, since WebAssembly is slower in 8 bits';
    return { path, sha256: createHash('sha256').update(`${sha256}-${recipe}`).digest('hex'), note };
  } catch (thrown) {
    const { code, message } = asEdgeError(thrown);
    if (code === 'EDGE_STORE_WRITE') return { ...runnable, note: `Stays in 8 bits: ${message}` };
    if (code === 'EDGE_MODEL_UNSUPPORTED') return { ...runnable, note: 'Stays in 8 bits: it computes in integers throughout' };
    throw thrown;
  }
}

/** @throws EDGE_MODEL_UNSUPPORTED when there is nothing to widen */
async function dequantized(path: string): Promise<Uint8Array> {
  const made = await dequantizedModel(path);
  if (!made) throw new EdgeError('EDGE_MODEL_UNSUPPORTED', 'it is not quantized by QuantizeLinear and DequantizeLinear');
  return made;
}

function withNotes(lease: Lease, notes: readonly string[]): Lease {
  const info = { ...lease.info, notes: [...lease.info.notes, ...notes] };
  return { info, run: (feeds, signal) => lease.run(feeds, signal), release: () => lease.release() };
}

function bothMissing(native: EdgeError, web: EdgeError): EdgeError {
  const found = ({ message }: EdgeError) => message.replace(`${ERRORS.EDGE_RUNTIME_MISSING}: `, '');
  return new EdgeError('EDGE_RUNTIME_MISSING', found(native), { cause: native, mend: `And ${found(web)}` });
}
