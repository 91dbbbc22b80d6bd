import type { TensorInfo } from '../../../core/message/tensor';
import { completeManifest, type GraphFacts, inferManifest, type Recogniser } from '../../../core/model/infer';

const pictures = (shape: (number | string)[], type: TensorInfo['type'] = 'float32'): TensorInfo => ({
  name: 'images',
  type,
  shape,
});
const graph = (input: TensorInfo, properties = {}, operators: string[] = []): GraphFacts => ({
  inputs: [input],
  outputs: [{ name: 'out', type: 'float32', shape: [1, 84, 8400] }],
  properties,
  operators: new Set(operators),
});
const yolov8: Recogniser = () => ({
  head: 'yolov8',
  input: { colours: 'rgb', mean: [0, 0, 0], scale: [1, 1, 1], fit: 'letterbox' },
});
const fallback = { id: 'mine', title: 'mine', source: '/models/mine.onnx' };

describe('what a manifest leaves out', () => {
  it('is read off the graph and the recognised family', () => {
    const found = inferManifest({}, graph(pictures([1, 3, 480, 640])), yolov8);
    expect(completeManifest(found, fallback)).toMatchObject({
      id: 'mine',
      task: 'detection',
      licence: { id: 'NOASSERTION', commercialUse: false },
      input: { kind: 'image', name: 'images', width: 640, height: 480, layout: 'NCHW', fit: 'letterbox' },
      output: { head: 'yolov8' },
      labels: [],
    });
  });

  it('knows a graph that takes bytes row by row', () => {
    const { input } = inferManifest({}, graph(pictures([1, 480, 640, 3], 'uint8')), yolov8);
    expect(input).toMatchObject({ layout: 'NHWC', width: 640, height: 480, normalisedInGraph: true });
  });

  it('includes whether the weights are of 8 bits, which decides how their sums are made', () => {
    const input = pictures([1, 3, 64, 64]);
    expect(inferManifest({}, graph(input)).quantization).toBe('none');
    expect(inferManifest({}, graph(input, {}, ['Conv', 'QuantizeLinear'])).quantization).toBe('int8');
    expect(inferManifest({}, graph(pictures([1, 3, 64, 64], 'float16'))).quantization).toBe('float16');
    expect(inferManifest({ quantization: 'none' }, graph(input, {}, ['QLinearConv'])).quantization).toBe('none');
  });

  it('never overrules what was said', () => {
    const said = { labels: ['a'], input: { width: 320, fit: 'stretch' as const }, output: { scoreThreshold: 0.9 } };
    const found = inferManifest(said, graph(pictures([1, 3, 'h', 'w']), { names: "{0: 'b'}" }), yolov8);
    expect(found).toMatchObject({
      labels: ['a'],
      input: { width: 320, fit: 'stretch' },
      output: { head: 'yolov8', scoreThreshold: 0.9 },
    });
  });

  it('takes the class names that Ultralytics writes, a Python dictionary', () => {
    const names = `{0: 'person', 1: "driver's cab", 2: 'it\\'s'}`;
    expect(inferManifest({}, graph(pictures([1, 3, 64, 64]), { names }), yolov8).labels).toEqual([
      'person',
      "driver's cab",
      "it's",
    ]);
    for (const nonsense of ['', 'person', "{5: 'a'}", "{0: 'a', 2: 'b'}"]) {
      expect(inferManifest({}, graph(pictures([1, 3, 64, 64]), { names: nonsense }), yolov8).labels).toBeUndefined();
    }
  });

  it('is asked for by name where nothing tells', () => {
    const incomplete = (known: Parameters<typeof inferManifest>[0], input: TensorInfo, recognise?: Recogniser) => () =>
      completeManifest(inferManifest(known, graph(input), recognise), fallback);
    const error = expect.objectContaining({ code: 'EDGE_MODEL_INCOMPLETE' });
    expect(incomplete({}, pictures([1, 3, 64, 64]))).toThrow(error);
    expect(incomplete({}, pictures([1, 3, 64, 64]))).toThrow(/task.*input|task/);
    expect(incomplete({}, pictures([1, 3, 'h', 'w']), yolov8)).toThrow(/input\.width, input\.height could not/);
    expect(incomplete({ output: { head: 'ssd' } }, pictures([1, 3, 64, 64]))).toThrow(
      /input\.colours, input\.fit, input\.mean, input\.scale could not be found out.*model\.json/,
    );
  });

  it('needs nothing but the word "tensors" for a model without pictures', () => {
    const found = inferManifest({ task: 'tensors' }, graph({ name: 'x', type: 'float32', shape: [1, 4] }));
    expect(completeManifest(found, fallback)).toMatchObject({
      task: 'tensors',
      input: { kind: 'raw' },
      output: { head: 'none' },
    });
  });
});
