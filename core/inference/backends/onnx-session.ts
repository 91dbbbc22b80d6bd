import type * as OnnxRuntime from 'onnxruntime-node';
import { EdgeError, type ErrorCode } from '../../errors';
import { ELEMENT_ARRAYS, type ElementType, type TensorInfo, type TensorValue } from '../../message/tensor';
import type { BackendSession, Tensors } from '../backend';

/** What ONNX Runtime's bindings have in common. */
export type Engine = Pick<typeof OnnxRuntime, 'InferenceSession' | 'Tensor'>;

/** An opened session of either binding, in this palette's terms. */
export class OnnxSession implements BackendSession {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  readonly notes: string[] = [];
  private readonly fetches: string[];

  constructor(
    private readonly ort: Engine,
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

function toOrt(ort: Engine, value: TensorValue): OnnxRuntime.Tensor {
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

/** What opening a model threw, with the code that its words mean. */
export function openError(thrown: unknown): EdgeError {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  const code = OPEN_ERRORS.find(([words]) => words.test(text))?.[1] ?? 'EDGE_MODEL_INVALID';
  return new EdgeError(code, firstLine(text), { cause: thrown });
}

/** What a run threw, likewise. */
export function runError(thrown: unknown): EdgeError {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  const code = /invalid (dimensions|rank) for input/i.test(text) ? 'EDGE_MODEL_INPUT_SHAPE' : 'EDGE_RUNTIME_FAILED';
  return new EdgeError(code, firstLine(text), { cause: thrown });
}

export function firstLine(text: string): string {
  return (text.split('\n')[0] ?? '').trim().slice(0, 300);
}
