import type { TensorInfo } from '../../message/tensor';
import { dataInputs, graphOf, opsetOf, readModel } from './graph';
import type { ValueInfoProto } from './protobuf';
import { elementType } from './tensor';

/** What an ONNX file says of itself, without opening a session. */
export interface ModelMetadata {
  /** Version of the standard operators. */
  opset: number;
  /** "pytorch 2.1.0", or empty. */
  producer: string;
  /** Free text that exporters leave: Ultralytics writes names, stride, task, imgsz here. */
  properties: Record<string, string>;
  inputs: TensorInfo[];
  outputs: TensorInfo[];
  /** Names of the operators that the graph uses, "Conv"; not those of graphs inside its nodes. */
  operators: ReadonlySet<string>;
}

/** @throws EDGE_MODEL_INVALID, EDGE_MODEL_EXTERNAL_DATA */
export function modelMetadata(bytes: Uint8Array): ModelMetadata {
  const model = readModel(bytes);
  const graph = graphOf(model);
  return {
    opset: opsetOf(model),
    producer: `${model.producerName} ${model.producerVersion}`.trim(),
    // No prototype, since the keys come from the file.
    properties: Object.assign(
      Object.create(null) as Record<string, string>,
      Object.fromEntries(model.metadataProps.map(({ key, value }) => [key, value])),
    ),
    inputs: dataInputs(graph).flatMap(tensorInfo),
    outputs: graph.output.flatMap(tensorInfo),
    operators: new Set(graph.node.map((node) => node.opType)),
  };
}

/** Empty for values that are not tensors (sequences, maps) or of a type this palette does not carry. -1: a size not stated. */
export function tensorInfo({ name, type }: ValueInfoProto): TensorInfo[] {
  if (type?.value.case !== 'tensorType') return [];
  const element = elementType(type.value.value.elemType);
  if (!element) return [];
  const shape = (type.value.value.shape?.dim ?? []).map(({ value }) => {
    if (value.case === 'dimValue') return Number(value.value);
    return value.case === 'dimParam' && value.value !== '' ? value.value : -1;
  });
  return [{ name, type: element, shape }];
}
