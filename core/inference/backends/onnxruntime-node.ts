import { availableParallelism } from 'node:os';
import type * as OnnxRuntime from 'onnxruntime-node';
import { EdgeError, type ErrorCode } from '../../errors';
import { ELEMENT_ARRAYS, type ElementType, type TensorInfo, type TensorValue } from '../../message/tensor';
import type { Backend, BackendSession, SessionOptions, Tensors } from '../backend';

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
    let session: OnnxRuntime.InferenceSession;
    try {
      session = await ort.InferenceSession.create(modelPath, sessionOptions(options));
    } catch (thrown) {
      throw openError(thrown);
    }
    try {
      return new OnnxSession(ort, session);
    } catch (thrown) {
      await session.release();
      throw thrown;
    }
  },
};

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

class OnnxSession implements BackendSession {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  private readonly fetches: string[];

  constructor(
    private readonly ort: typeof OnnxRuntime,
    private readonly session: OnnxRuntime.InferenceSession,
  ) {
    this.inputs = session.inputMetadata.map((metadata) => {
      const info = tensorInfo(metadata);
      if (info) return info;
      throw new EdgeError('EDGE_MODEL_UNSUPPORTED', `its input ${metadata.name} is not a tensor of numbers`);
    });
    // Labels as strings and maps of probabilities (classic machine learning exports) are left out, the tensors beside them work.
    this.outputs = session.outputMetadata.map(tensorInfo).filter((info) => info !== undefined);
    if (this.outputs.length === 0) throw new EdgeError('EDGE_MODEL_UNSUPPORTED', 'none of its outputs is a tensor of numbers');
    this.fetches = this.outputs.map((info) => info.name);
  }

  async run(feeds: Tensors): Promise<Tensors> {
    const inputs: Record<string, OnnxRuntime.Tensor> = {};
    for (const [name, value] of Object.entries(feeds)) inputs[name] = toOrt(this.ort, value);
    let outputs: OnnxRuntime.InferenceSession.OnnxValueMapType;
    try {
      outputs = await this.session.run(inputs, this.fetches);
    } catch (thrown) {
      throw runError(thrown);
    }
    const results: Tensors = {};
    for (const name of this.fetches) results[name] = fromOrt(outputs[name] as OnnxRuntime.Tensor);
    return results;
  }

  async release(): Promise<void> {
    await this.session.release();
  }
}

function tensorInfo(metadata: OnnxRuntime.InferenceSession.ValueMetadata): TensorInfo | undefined {
  if (!metadata.isTensor || !isElementType(metadata.type)) return undefined;
  // A dimension without a size and without a name comes as an empty string.
  return { name: metadata.name, type: metadata.type, shape: metadata.shape.map((size) => (size === '' ? -1 : size)) };
}

function isElementType(type: string): type is ElementType {
  return Object.hasOwn(ELEMENT_ARRAYS, type);
}

type HalfConstructor = new (buffer: ArrayBufferLike, byteOffset: number, length: number) => Uint16Array;
/** From Node 24 on float16 tensors hold these; the palette keeps the bit patterns. */
const Half = (globalThis as { Float16Array?: HalfConstructor }).Float16Array;

function toOrt(ort: typeof OnnxRuntime, value: TensorValue): OnnxRuntime.Tensor {
  const { data } = value;
  const seen = value.type === 'float16' && Half ? new Half(data.buffer, data.byteOffset, data.length) : data;
  return new ort.Tensor(value.type, seen as OnnxRuntime.Tensor.DataType as never, value.shape);
}

function fromOrt(tensor: OnnxRuntime.Tensor): TensorValue {
  const data = tensor.data as unknown as TensorValue['data'];
  const type = tensor.type as ElementType;
  return {
    type,
    shape: tensor.dims,
    data: type === 'float16' && Half ? new Uint16Array(data.buffer, data.byteOffset, data.length) : data,
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
      mend: 'Use a Debian-based image instead of an Alpine one',
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

/** What ONNX Runtime says in words, as codes; the first that matches. Words as of 1.20 to 1.30. */
const OPEN_ERRORS: readonly (readonly [RegExp, ErrorCode])[] = [
  [/file doesn't exist|no such file/i, 'EDGE_MODEL_NOT_FOUND'],
  [
    /external.{0,40}(data|initializer|file|path)|escapes.{0,30}(directory|folder)|tensorprotoutils|GetExtDataFromTensorProto/i,
    'EDGE_MODEL_EXTERNAL_DATA',
  ],
  [
    /no op registered|not a registered function|could not find an implementation|unsupported model ir|is under development|not implemented|no opset import|unrecognized .*(domain|operator)/i,
    'EDGE_MODEL_UNSUPPORTED',
  ],
];

function openError(thrown: unknown): EdgeError {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  const code = OPEN_ERRORS.find(([words]) => words.test(text))?.[1] ?? 'EDGE_MODEL_INVALID';
  return new EdgeError(code, firstLine(text), { cause: thrown });
}

function runError(thrown: unknown): EdgeError {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  const code = /invalid (dimensions|rank) for input/i.test(text) ? 'EDGE_MODEL_INPUT_SHAPE' : 'EDGE_RUNTIME_FAILED';
  return new EdgeError(code, firstLine(text), { cause: thrown });
}

function firstLine(text: string): string {
  return (text.split('\n')[0] ?? '').trim().slice(0, 300);
}
