/**
 * The ONNX messages. `onnx-buf` is an ES module, which a CommonJS palette cannot load on every Node it supports, so the build
 * bundles it into this file's output; only `@bufbuild/protobuf` stays a dependency at run time.
 */
export { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
export {
  type AttributeProto,
  AttributeProto_AttributeType as AttributeType,
  AttributeProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  type TensorProto,
  TensorProto_DataLocation as DataLocation,
  TensorProto_DataType as DataType,
  TensorProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from 'onnx-buf';
