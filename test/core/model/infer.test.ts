import type { TensorInfo } from '../../../core/message/tensor';
import { completeManifest, type GraphFacts, type HeadTable, infer, type Recognised } from '../../../core/model/infer';
import type { PartialManifest } from '../../../core/model/manifest';

const pictures = (shape: (number | string)[], type: TensorInfo['type'] = 'float32'): TensorInfo => ({
  name: 'images',
  type,
  shape,
});
const graph = (
  input: TensorInfo,
  properties = {},
  operators: string[] = [],
): GraphFacts & { outputs: readonly TensorInfo[] } => ({
  inputs: [input],
  outputs: [{ name: 'out', type: 'float32', shape: [1, 84, 8400] }],
  properties,
  operators: new Set(operators),
});
const detector: Recognised = {
  head: 'yolov8',
  task: 'detection',
  input: { colours: 'rgb', mean: [0, 0, 0], scale: [1, 1, 1], fit: 'letterbox' },
  classes: 80,
};
const table = (...families: Recognised[]): HeadTable => ({
  matching: () => families,
  named: (id) => families.find(({ head }) => head === id),
});
const yolov8 = table(detector);
const inferManifest = (known: PartialManifest, facts: GraphFacts, heads?: HeadTable) => infer(known, facts, heads).manifest;
const fallback = { id: 'mine', title: 'mine', source: '/models/mine.onnx' };

describe('what a manifest leaves out', () => {
  it('is read off the graph and the recognised family', () => {
    const found = infer({}, graph(pictures([1, 3, 480, 640])), yolov8);
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
    const incomplete = (known: PartialManifest, input: TensorInfo, heads?: HeadTable) => () =>
      completeManifest(infer(known, graph(input), heads), fallback);
    const error = expect.objectContaining({ code: 'EDGE_MODEL_INCOMPLETE' });
    expect(incomplete({}, pictures([1, 3, 64, 64]))).toThrow(error);
    expect(incomplete({}, pictures([1, 3, 64, 64]))).toThrow(/task.*input|task/);
    expect(incomplete({}, pictures([1, 3, 'h', 'w']), yolov8)).toThrow(/input\.width, input\.height could not/);
    expect(incomplete({ output: { head: 'ssd' } }, pictures([1, 3, 64, 64]))).toThrow(
      /input\.colours, input\.fit, input\.mean, input\.scale could not be found out.*model\.json/,
    );
  });

  it('needs nothing but the word "tensors" for a model without pictures', () => {
    const found = infer({ task: 'tensors' }, graph({ name: 'x', type: 'float32', shape: [1, 4] }));
    expect(completeManifest(found, fallback)).toMatchObject({
      task: 'tensors',
      input: { kind: 'raw' },
      output: { head: 'none' },
    });
  });

  it('takes the family that was named, and asks only for what that family does not tell', () => {
    const ssd: Recognised = { head: 'ssd', task: 'detection', input: null, classes: 90 };
    const named = infer({ output: { head: 'yolov8' } }, graph(pictures([1, 3, 64, 64])), table(detector, ssd));
    expect(named).toMatchObject({ missing: [], manifest: { task: 'detection', input: { fit: 'letterbox' } } });
    const asked = infer({ output: { head: 'ssd' } }, graph(pictures([1, 3, 64, 64])), table(detector, ssd));
    expect(asked.missing).toEqual(['input.colours', 'input.fit', 'input.mean', 'input.scale']);
  });

  it('is one question with its answers where two families fit, and nothing is taken in silence', () => {
    const pose: Recognised = { ...detector, head: 'yolov8-pose', task: 'pose', classes: 1 };
    const found = infer({}, graph(pictures([1, 3, 640, 640])), table(detector, pose));
    expect(found).toMatchObject({ missing: ['output.head'], choices: { 'output.head': ['yolov8', 'yolov8-pose'] } });
    expect(found.manifest.task).toBeUndefined();
    expect(() => completeManifest(found, fallback)).toThrow(/output\.head \(yolov8 or yolov8-pose\) could not be found out/);
  });

  it('offers the tasks that a graph of no known family can be for', () => {
    const vector = {
      ...graph(pictures([1, 3, 64, 64])),
      outputs: [{ name: 'y', type: 'float32' as const, shape: [1, 512, 1, 1] }],
    };
    expect(infer({}, vector).choices).toEqual({ task: ['classification', 'embedding', 'tensors'] });
    const numbers = { ...vector, inputs: [{ name: 'x', type: 'float32' as const, shape: [1, 8] }] };
    expect(infer({}, numbers).choices).toEqual({ task: ['tensors'] });
    expect(infer({}, graph(pictures([1, 3, 64, 64]))).choices).toEqual({});
  });

  it('says what is written into the file and does not fit it', () => {
    const properties = { names: "{0: 'a', 1: 'b'}", imgsz: 'large', end2end: 'maybe' };
    expect(infer({}, graph(pictures([1, 3, 64, 64]), properties), yolov8).warnings).toEqual([
      'What the file says under "imgsz", "end2end" cannot be read',
      'The outputs are of 80 classes and there are 2 labels',
    ]);
  });

  it('asks the table with a batch of 1 and the sides that are known, where the file leaves them open', () => {
    const asked: TensorInfo[][] = [];
    const listening: HeadTable = {
      ...yolov8,
      matching: (inputs, outputs) => {
        asked.push([...inputs, ...outputs]);
        return [detector];
      },
    };
    const open = graph(pictures(['batch', 3, 'height', 'width']), { imgsz: '[480, 640]' });
    open.outputs = [{ name: 'out', type: 'float32', shape: ['batch', 84, 'anchors'] }];
    const { manifest } = infer({}, open, listening);
    expect(asked[0]!.map(({ shape }) => shape)).toEqual([
      [1, 3, 480, 640],
      [1, 84, 'anchors'],
    ]);
    expect(manifest.input).toMatchObject({ width: 640, height: 480, layout: 'NCHW' });
    infer({ input: { width: 320, height: 256 } }, open, listening);
    expect(asked[1]![0]!.shape).toEqual([1, 3, 256, 320]);
  });
});
