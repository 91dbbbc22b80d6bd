import { foldAffine } from '../model/onnx/fold-affine';
import { dataInputs, graphOf, readModel } from '../model/onnx/graph';
import type { ModelProto } from '../model/onnx/protobuf';

/**
 * A model as calibration and quantization both see it, so that they agree on names: what old exporters list among the inputs
 * is constant, batch norms and the like are folded into convolutions. @throws EDGE_MODEL_INVALID, EDGE_MODEL_EXTERNAL_DATA
 */
export function prepareModel(bytes: Uint8Array): ModelProto {
  const model = readModel(bytes);
  const graph = graphOf(model);
  graph.input = dataInputs(graph);
  foldAffine(graph);
  return model;
}
