import { availableParallelism } from 'node:os';
import type * as OnnxRuntime from 'onnxruntime-node';
import { EdgeError } from '../../errors';
import type { Backend, BackendSession, SessionOptions } from '../backend';
import { ON_PROCESSOR } from '../providers';
import { firstLine, OnnxSession, openError } from './onnx-session';
import { openOptimised } from './optimised-models';

/** ONNX Runtime's own Node.js binding: native speed, but only where npm holds a binary (glibc Linux, Windows, macOS on ARM). */
export const onnxruntimeNode: Backend = {
  id: 'onnxruntime-node',

  installedVersion() {
    try {
      return (require('onnxruntime-node/package.json') as { version: string }).version;
    } catch {
      return undefined;
    }
  },

  async load() {
    return { version: runtime().env.versions.node ?? 'unknown' };
  },

  async open(modelPath: string, options: SessionOptions): Promise<BackendSession> {
    const ort = runtime();
    const { executionProvider = 'cpu' } = options;
    try {
      return await openWith(ort, modelPath, options);
    } catch (thrown) {
      if (executionProvider === 'cpu') throw thrown;
      const session = await openWith(ort, modelPath, { ...options, executionProvider: 'cpu' });
      session.notes.push(`${ON_PROCESSOR}: ${executionProvider} did not take this model (${reasonOf(thrown)})`);
      return session;
    }
  },
};

async function openWith(ort: typeof OnnxRuntime, modelPath: string, options: SessionOptions): Promise<OnnxSession> {
  const { executionProvider = 'cpu', preciseInt8 = false, optimised } = options;
  const create = (path: string, { writeTo, asItIs }: { writeTo?: string; asItIs?: boolean } = {}) =>
    ort.InferenceSession.create(path, {
      ...sessionOptions(options),
      ...(writeTo === undefined ? {} : { optimizedModelFilePath: writeTo }),
      ...(asItIs ? { graphOptimizationLevel: 'disabled' as const } : {}),
    });
  let session: OnnxRuntime.InferenceSession;
  try {
    // What other providers make of a graph is not a graph any more that could be written.
    if (optimised && executionProvider === 'cpu') {
      const made = [ort.env.versions.node, executionProvider, preciseInt8];
      session = await openOptimised(modelPath, { ...optimised, made }, create);
    } else session = await create(modelPath);
  } catch (thrown) {
    throw openError(thrown);
  }
  try {
    return new OnnxSession(ort, session);
  } catch (thrown) {
    await session.release();
    throw thrown;
  }
}

function reasonOf(thrown: unknown): string {
  return firstLine(thrown instanceof EdgeError && thrown.cause instanceof Error ? thrown.cause.message : String(thrown));
}

/** Threads inside one run when none are chosen: one core stays free for Node-RED, and more than four rarely pay on small models. */
export function defaultThreads(): number {
  return Math.max(1, Math.min(4, availableParallelism() - 1));
}

/** What a session is made with. The bench gives the bare engine the same. */
export function sessionOptions(options: SessionOptions): OnnxRuntime.InferenceSession.SessionOptions {
  return {
    executionProviders: [options.executionProvider ?? 'cpu'],
    intraOpNumThreads: options.threads ?? defaultThreads(),
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    // Planning the memory of a run ahead saves no time here, and holds some 30 MB for a detector of 13 MB.
    enableMemPattern: false,
    // Its errors are thrown, too; what it writes itself goes past Node-RED's log.
    logSeverityLevel: 4,
    extra: {
      session: {
        // Waiting threads that spin take the cores from Node-RED, and made runs 1.7 to 2.2 times slower on a busy machine.
        intra_op: { allow_spinning: '0' },
        // Without VNNI the fast int8 kernels of x64 saturate at 16 bits and a foreign int8 model gives nonsense.
        ...(options.preciseInt8 ? { x64quantprecision: '1' } : {}),
      },
    },
  };
}

const INSTALL = 'Run "npm install --ignore-scripts onnxruntime-node" in the Node-RED user directory and restart Node-RED';

function runtime(): typeof OnnxRuntime {
  try {
    const ort = require('onnxruntime-node') as typeof OnnxRuntime;
    ort.env.logLevel = 'fatal';
    return ort;
  } catch (thrown) {
    throw missingRuntime(thrown);
  }
}

/** Why the engine cannot be loaded, and what mends it: it is not there, or npm holds no binary for this kind of machine. */
export function missingRuntime(thrown: unknown): EdgeError {
  const { code, message } = thrown as NodeJS.ErrnoException;
  const text = String(message);
  if (code === 'MODULE_NOT_FOUND' && !text.includes('napi-v')) {
    return new EdgeError('EDGE_RUNTIME_MISSING', 'onnxruntime-node is not installed', { cause: thrown, mend: INSTALL });
  }
  if (code === 'MODULE_NOT_FOUND') {
    return new EdgeError('EDGE_RUNTIME_MISSING', `onnxruntime-node has no binary for ${machine()}`, {
      cause: thrown,
      mend: 'It runs on Linux with glibc (x64, arm64), Windows, and macOS on arm64',
    });
  }
  if (libc() === 'musl') {
    return new EdgeError('EDGE_RUNTIME_MISSING', `onnxruntime-node has no binary for ${machine()}`, {
      cause: thrown,
      mend: 'A Debian-based image instead of an Alpine one has native speed',
    });
  }
  return new EdgeError('EDGE_RUNTIME_MISSING', `its library does not load on ${machine()}: ${firstLine(text)}`, {
    cause: thrown,
    mend: INSTALL,
  });
}

function machine(): string {
  const kind = libc();
  return `${process.platform} ${process.arch}${kind ? ` with ${kind}` : ''}`;
}

function libc(): 'glibc' | 'musl' | undefined {
  if (process.platform !== 'linux') return undefined;
  const report = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  return report.header.glibcVersionRuntime ? 'glibc' : 'musl';
}
