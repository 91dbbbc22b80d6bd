import { EdgeError } from '../errors';
import type { TensorInfo } from '../message/tensor';
import { type ExporterFacts, exporterFacts } from './exporter';
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
  task: Manifest['task'];
  input: Partial<Omit<ImageInput, 'kind' | 'width' | 'height'>> | null;
  labels?: readonly string[];
  /** How many classes the outputs tell apart; null where the shapes do not tell. */
  classes: number | null;
  /** For `output.parameters`, as the exporter wrote it. */
  parameters?: Record<string, unknown>;
}

/** What narrows down which families a graph may be of. */
export interface Clues {
  exporter: ExporterFacts;
  task?: Manifest['task'] | undefined;
  /** How many labels are known. */
  labels?: number | undefined;
}

/** The heads, which live above this floor. */
export interface HeadTable {
  /** The families whose signature fits: more than one where nothing tells them apart. */
  matching(inputs: readonly TensorInfo[], outputs: readonly TensorInfo[], clues: Clues): readonly Recognised[];
  named(id: string, outputs: readonly TensorInfo[], exporter: ExporterFacts): Recognised | undefined;
}

/** What was found out about a model, and what only somebody who knows it can say. */
export interface Inference {
  manifest: PartialManifest;
  /** What a task cannot run without, as paths like "input.mean"; what an answer to another question will tell is left out. */
  missing: string[];
  /** The only answers to a missing field that fit the graph, where not every one does. */
  choices: Record<string, string[]>;
  /** What was written into the file and does not fit it. Sentences. */
  warnings: string[];
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

const NO_HEADS: HeadTable = { matching: () => [], named: () => undefined };

/** What a task is read by where no family was recognised or is needed. */
const USUAL_HEADS: Partial<Record<Manifest['task'], string>> = {
  classification: 'softmax',
  segmentation: 'class-map',
  embedding: 'embedding',
  tensors: 'none',
};

/**
 * Fill what `known` leaves out with what the graph tells: size and layout of its image input, labels and task that the
 * exporter wrote, and the family's usual preparation where its signature is recognised. What was said is never overruled, and
 * where two families fit alike none is taken.
 */
export function infer(known: PartialManifest, graph: GraphFacts, heads: HeadTable = NO_HEADS): Inference {
  const exporter = exporterFacts(graph.properties);
  const candidates = candidatesOf(known, graph, exporter, heads);
  const family = candidates.length === 1 ? candidates[0]! : null;
  const task = known.task ?? family?.task ?? (known.output?.head === 'none' ? 'tensors' : undefined);
  const manifest: PartialManifest = { ...known };
  if (task !== undefined) manifest.task = task;

  const image = task === 'tensors' || known.input?.kind === 'raw' ? null : imageInputOf(graph.inputs, exporter);
  if (task === 'tensors') manifest.input = known.input ?? { kind: 'raw' };
  else if (known.input?.kind !== 'raw' && (image || known.input)) {
    manifest.input = normalised({ kind: 'image', ...image, ...family?.input, ...known.input }, graph.inputs);
  }

  const head = known.output?.head ?? family?.head ?? USUAL_HEADS[task ?? 'detection'];
  if (head !== undefined) {
    const parameters = { ...family?.parameters, ...known.output?.parameters };
    manifest.output = { ...known.output, head, ...(Object.keys(parameters).length > 0 ? { parameters } : {}) };
  }
  const labels = known.labels ?? exporter.names ?? family?.labels;
  if (labels) manifest.labels = labels;
  manifest.quantization = known.quantization ?? quantizationOf(graph);
  return { manifest, ...questions(manifest, graph, candidates), warnings: warningsOf(manifest, exporter, family) };
}

/**
 * The manifest with the defaults of a model that somebody brought: named after its file, its licence unknown.
 * @throws EDGE_MODEL_INCOMPLETE naming the fields that nobody said, and what there is to choose from.
 */
export function completeManifest(
  { manifest, missing, choices }: Pick<Inference, 'manifest' | 'missing' | 'choices'>,
  fallback: { id: string; title: string; source: string },
): Manifest {
  if (missing.length > 0) {
    const named = missing.map((field) => (choices[field] ? `${field} (${choices[field].join(' or ')})` : field));
    throw new EdgeError('EDGE_MODEL_INCOMPLETE', `${named.join(', ')} could not be found out`, {
      mend: 'Say them in the dialog or in a model.json beside the model',
    });
  }
  return {
    version: '1',
    licence: { id: 'NOASSERTION', commercialUse: false },
    labels: [],
    quantization: 'none',
    ...fallback,
    ...manifest,
  } as Manifest;
}

/** The family that was named, or those that the graph looks like. */
function candidatesOf(
  known: PartialManifest,
  graph: GraphFacts,
  exporter: ExporterFacts,
  heads: HeadTable,
): readonly Recognised[] {
  if (known.task === 'tensors') return [];
  const outputs = graph.outputs.map(withoutBatch);
  if (known.output?.head !== undefined) {
    const named = heads.named(known.output.head, outputs, exporter);
    return named && (known.task ?? named.task) === named.task ? [named] : [];
  }
  const inputs = graph.inputs.map((input) => settled(withoutBatch(input), known, exporter));
  return heads.matching(inputs, outputs, { exporter, task: known.task, labels: known.labels?.length });
}

function questions(
  manifest: PartialManifest,
  graph: GraphFacts,
  candidates: readonly Recognised[],
): Pick<Inference, 'missing' | 'choices'> {
  let missing = missingFields(manifest);
  const choices: Record<string, string[]> = {};
  if (candidates.length > 1 && missing.includes('output.head')) {
    // Whichever it is, the family says its task, and often its preparation.
    const told = new Set(['task', ...inputFields(candidates)]);
    missing = missing.filter((field) => !told.has(field));
    choices['output.head'] = candidates.map(({ head }) => head);
  } else if (missing.includes('task')) {
    const possible = tasksOf(graph);
    if (possible) choices.task = possible;
    if (possible?.every((task) => USUAL_HEADS[task])) missing = missing.filter((field) => field !== 'output.head');
  }
  return { missing, choices };
}

/** The paths that every one of the families would fill in. */
function inputFields(candidates: readonly Recognised[]): string[] {
  const fields = ['colours', 'mean', 'scale', 'fit'] as const;
  return fields.filter((field) => candidates.every(({ input }) => input?.[field] !== undefined)).map((field) => `input.${field}`);
}

/** What a graph of no known family may do, where its shapes rule something out. */
function tasksOf({ inputs, outputs }: GraphFacts): Manifest['task'][] | undefined {
  if (!inputs.some(({ shape }) => shape.length === 4)) return ['tensors'];
  const isVector = ({ shape }: TensorInfo) => shape.slice(1).filter((size) => size !== 1).length <= 1;
  return outputs.length === 1 && isVector(outputs[0]!) ? ['classification', 'embedding', 'tensors'] : undefined;
}

function warningsOf({ labels }: PartialManifest, { unread, task }: ExporterFacts, family: Recognised | null): string[] {
  const warnings: string[] = [];
  if (task === 'obb') warnings.push('It finds rotated boxes (obb), which no family of this palette reads');
  if (unread.length > 0) warnings.push(`What the file says under ${unread.map((key) => `"${key}"`).join(', ')} cannot be read`);
  if (labels && family?.classes && labels.length !== family.classes) {
    warnings.push(`The outputs are of ${family.classes} classes and there are ${labels.length} labels`);
  }
  return warnings;
}

/** One picture at a time: a batch that may vary is 1. */
function withoutBatch(info: TensorInfo): TensorInfo {
  const [batch, ...others] = info.shape;
  return batch !== undefined && isOpen(batch) ? { ...info, shape: [1, ...others] } : info;
}

/** An input whose sides may vary, with the sides that were said or that the exporter wrote. */
function settled(info: TensorInfo, known: PartialManifest, { size }: ExporterFacts): TensorInfo {
  if (info.shape.length !== 4 || known.input?.kind === 'raw') return info;
  const { width = size?.width, height = size?.height } = known.input ?? {};
  const sides = isChannels(info.shape[1]) ? ({ 2: height, 3: width } as const) : ({ 1: height, 2: width } as const);
  const shape = info.shape.map((old, axis) => (isOpen(old) ? (sides[axis as keyof typeof sides] ?? old) : old));
  return { ...info, shape };
}

function quantizationOf({ inputs, operators }: GraphFacts): Manifest['quantization'] {
  if (INT8_OPERATORS.some((operator) => operators.has(operator))) return 'int8';
  return inputs.some((input) => input.type === 'float16') ? 'float16' : 'none';
}

/** The graph's one image-like input: four dimensions, three or one of them channels. */
function imageInputOf(inputs: readonly TensorInfo[], { size }: ExporterFacts): Partial<ImageInput> | null {
  const images = inputs.filter((input) => input.shape.length === 4);
  if (inputs.length !== 1 || images.length !== 1) return null;
  const { name, shape } = images[0]!;
  const layout = isChannels(shape[1]) ? 'NCHW' : isChannels(shape[3]) ? 'NHWC' : null;
  if (!layout) return null;
  const [height, width, channels] = layout === 'NCHW' ? [shape[2], shape[3], shape[1]] : [shape[1], shape[2], shape[3]];
  const input: Partial<ImageInput> = { name, layout };
  const sides = { width: isOpen(width) ? size?.width : width, height: isOpen(height) ? size?.height : height };
  if (typeof sides.width === 'number') input.width = sides.width;
  if (typeof sides.height === 'number') input.height = sides.height;
  if (channels === 1) input.colours = 'grey';
  return input;
}

/** A graph that takes bytes normalises them itself. */
function normalised(input: Partial<ImageInput>, inputs: readonly TensorInfo[]): Partial<ImageInput> {
  const normalisedInGraph = input.normalisedInGraph ?? inputs[0]?.type === 'uint8';
  return normalisedInGraph ? { mean: [0, 0, 0], scale: [1, 1, 1], ...input, normalisedInGraph } : input;
}

function isOpen(size: number | string | undefined): boolean {
  return typeof size !== 'number' || size < 1;
}

function isChannels(size: number | string | undefined): boolean {
  return size === 1 || size === 3;
}
