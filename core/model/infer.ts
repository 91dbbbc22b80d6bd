import { EdgeError } from '../errors';
import type { TensorInfo } from '../message/tensor';
import type { ImageInput, Manifest, PartialManifest } from './manifest';
import { missingFields } from './parse-manifest';

/** What a model file says of itself. */
export interface GraphFacts {
  inputs: readonly TensorInfo[];
  outputs: readonly TensorInfo[];
  /** ONNX metadata_props: Ultralytics writes names, stride, task, imgsz there. */
  properties: Readonly<Record<string, string>>;
  operators: ReadonlySet<string>;
}

/** What a family of models is known for once its signature was recognised. */
export interface Recognised {
  head: string;
  input: Partial<Omit<ImageInput, 'kind' | 'width' | 'height'>> | null;
  labels?: readonly string[];
}

/** What quantizers write: QDQ pairs around float operators, or operators on integers. */
const INT8_OPERATORS = [
  'QuantizeLinear',
  'DynamicQuantizeLinear',
  'QLinearConv',
  'QLinearMatMul',
  'ConvInteger',
  'MatMulInteger',
];

/** Recognises a family by its graph's inputs and outputs; null when none or more than one fits. Heads live above this floor. */
export type Recogniser = (inputs: readonly TensorInfo[], outputs: readonly TensorInfo[]) => Recognised | null;

/**
 * Fill what `known` leaves out with what the graph tells: size and layout of its image input, labels and task that the
 * exporter wrote, and the family's usual preparation where its signature is recognised. What was said is never overruled.
 */
export function inferManifest(known: PartialManifest, graph: GraphFacts, recognise?: Recogniser): PartialManifest {
  const family = known.output?.head === undefined ? (recognise?.(graph.inputs, graph.outputs) ?? null) : null;
  const task = known.task ?? taskOf(known, graph, family);
  const inferred: PartialManifest = { ...known };
  if (task !== undefined) inferred.task = task;

  const image = task === 'tensors' || known.input?.kind === 'raw' ? null : imageInputOf(graph.inputs);
  if (task === 'tensors') inferred.input = known.input ?? { kind: 'raw' };
  else if (known.input?.kind !== 'raw' && (image || known.input)) {
    inferred.input = normalised({ kind: 'image', ...image, ...family?.input, ...known.input }, graph.inputs);
  }

  const head =
    known.output?.head ??
    family?.head ??
    { detection: undefined, classification: 'softmax', tensors: 'none' }[task ?? 'detection'];
  if (head !== undefined) inferred.output = { ...known.output, head };
  const labels = known.labels ?? namesOf(graph.properties) ?? family?.labels;
  if (labels) inferred.labels = labels;
  inferred.quantization = known.quantization ?? quantizationOf(graph);
  return inferred;
}

/**
 * The manifest with the defaults of a model that somebody brought: named after its file, its licence unknown.
 * @throws EDGE_MODEL_INCOMPLETE naming the fields that nobody said.
 */
export function completeManifest(known: PartialManifest, fallback: { id: string; title: string; source: string }): Manifest {
  const missing = missingFields(known);
  if (missing.length > 0) {
    throw new EdgeError('EDGE_MODEL_INCOMPLETE', `${missing.join(', ')} could not be found out`, {
      mend: 'Say them in the dialog or in a model.json beside the model',
    });
  }
  return {
    version: '1',
    licence: { id: 'NOASSERTION', commercialUse: false },
    labels: [],
    quantization: 'none',
    ...fallback,
    ...known,
  } as Manifest;
}

function quantizationOf({ inputs, operators }: GraphFacts): Manifest['quantization'] {
  if (INT8_OPERATORS.some((operator) => operators.has(operator))) return 'int8';
  return inputs.some((input) => input.type === 'float16') ? 'float16' : 'none';
}

/** The graph's one image-like input: four dimensions, three or one of them channels. */
function imageInputOf(inputs: readonly TensorInfo[]): Partial<ImageInput> | null {
  const images = inputs.filter((input) => input.shape.length === 4);
  if (inputs.length !== 1 || images.length !== 1) return null;
  const { name, shape } = images[0]!;
  const layout = isChannels(shape[1]) ? 'NCHW' : isChannels(shape[3]) ? 'NHWC' : null;
  if (!layout) return null;
  const [height, width, channels] = layout === 'NCHW' ? [shape[2], shape[3], shape[1]] : [shape[1], shape[2], shape[3]];
  const input: Partial<ImageInput> = { name, layout };
  if (typeof width === 'number' && width > 0) input.width = width;
  if (typeof height === 'number' && height > 0) input.height = height;
  if (channels === 1) input.colours = 'grey';
  return input;
}

/** A graph that takes bytes normalises them itself. */
function normalised(input: Partial<ImageInput>, inputs: readonly TensorInfo[]): Partial<ImageInput> {
  const normalisedInGraph = input.normalisedInGraph ?? inputs[0]?.type === 'uint8';
  return normalisedInGraph ? { mean: [0, 0, 0], scale: [1, 1, 1], ...input, normalisedInGraph } : input;
}

function taskOf(known: PartialManifest, graph: GraphFacts, family: Recognised | null): Manifest['task'] | undefined {
  if (family) return 'detection';
  if (known.output?.head !== undefined) return known.output.head === 'softmax' ? 'classification' : 'detection';
  const written = graph.properties.task;
  if (written === 'detect') return 'detection';
  if (written === 'classify') return 'classification';
  return undefined;
}

/**
 * Class names as Ultralytics writes them into the file, `{0: 'person', 1: "driver's cab"}`: a Python dictionary, which is not
 * JSON. Null when there are none or they are not that.
 */
function namesOf(properties: Readonly<Record<string, string>>): string[] | null {
  const text = properties.names;
  if (text === undefined || text.length > 1_000_000) return null;
  const names: string[] = [];
  for (const match of text.matchAll(/(\d{1,5})\s*:\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")/g)) {
    const index = Number(match[1]);
    if (index !== names.length) return null;
    names.push((match[2] ?? match[3] ?? '').replace(/\\(.)/g, '$1').slice(0, 200));
  }
  return names.length > 0 ? names : null;
}

function isChannels(size: number | string | undefined): boolean {
  return size === 1 || size === 3;
}
