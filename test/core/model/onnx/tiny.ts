import { writeModel } from '../../../../core/model/onnx/graph';
import { operation } from '../../../../core/model/onnx/node';
import {
  create,
  ModelProtoSchema,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from '../../../../core/model/onnx/protobuf';

/** The bytes of a model made by hand. */
export function tinyModel(parts: {
  nodes?: NodeProto[];
  inputs: ValueInfoProto[];
  outputs: ValueInfoProto[];
  constants?: TensorProto[];
  opset?: number;
}): Uint8Array {
  const nodes = parts.nodes ?? [operation('Identity', [parts.inputs[0]!.name], [parts.outputs[0]!.name])];
  return writeModel(
    create(ModelProtoSchema, {
      irVersion: 4n,
      opsetImport: [{ domain: '', version: BigInt(parts.opset ?? 13) }],
      graph: { name: 'tiny', node: nodes, input: parts.inputs, output: parts.outputs, initializer: parts.constants ?? [] },
    }),
  );
}
