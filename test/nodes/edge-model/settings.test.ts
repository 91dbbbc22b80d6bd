import { modelSettings } from '../../../nodes/edge-model/settings';

const HASH = 'ab'.repeat(32);
const code = (config: Record<string, unknown>) => {
  try {
    modelSettings(config);
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'none';
};

describe('the settings of a model', () => {
  it('say nothing where the dialog was left as it opens', () => {
    const options = { backend: 'auto', executionProvider: 'auto', placement: 'auto' };
    expect(modelSettings({})).toEqual({ source: '', manifest: {}, options });
    expect(modelSettings({ source: ' ', task: '', mean: '', threads: '', placement: 'auto' })).toEqual(modelSettings({}));
  });

  it('bind a fetched file to its hash, and leave files of this machine alone', () => {
    expect(modelSettings({ source: 'https://example.com/a.onnx', sha256: HASH.toUpperCase() }).source).toBe(
      `https://example.com/a.onnx#sha256=${HASH}`,
    );
    expect(modelSettings({ source: 'npm:a@1.0.0/m.onnx', sha256: HASH }).source).toBe(`npm:a@1.0.0/m.onnx#sha256=${HASH}`);
    expect(modelSettings({ source: `https://example.com/a.onnx#sha256=${HASH}`, sha256: HASH }).source).toMatch(/onnx#sha256=/);
    expect(modelSettings({ source: '/data/a.onnx', sha256: HASH }).source).toBe('/data/a.onnx');
  });

  it('take numbers as texts, as dialogs and environment variables give them', () => {
    const { options } = modelSettings({ scoreThreshold: '0', iouThreshold: '.5', maxDetections: '7', threads: 2 });
    expect(options).toMatchObject({ placement: 'auto', scoreThreshold: 0, iouThreshold: 0.5, maxDetections: 7, threads: 2 });
  });

  it('leave engine and execution provider to the machine, or name them', () => {
    expect(modelSettings({}).options).toMatchObject({ backend: 'auto', executionProvider: 'auto' });
    const { options } = modelSettings({ backend: 'onnxruntime-web', executionProvider: 'cuda' });
    expect(options).toMatchObject({ backend: 'onnxruntime-web', executionProvider: 'cuda' });
  });

  it('give a model a process of its own, a longest run in seconds and a most memory in megabytes', () => {
    const { options } = modelSettings({ placement: 'process', runTimeout: '2.5', memoryLimit: '512' });
    expect(options).toMatchObject({ placement: 'process', runTimeoutMs: 2500, memoryLimit: 512 * 2 ** 20 });
  });

  it('say how a picture is prepared, one number for every channel', () => {
    const { manifest } = modelSettings({
      width: '320',
      height: '240',
      colours: 'bgr',
      mean: '127',
      scale: '0.1, 0.2,0.3',
      head: 'ssd',
    });
    expect(manifest).toEqual({
      input: { width: 320, height: 240, colours: 'bgr', mean: [127, 127, 127], scale: [0.1, 0.2, 0.3] },
      output: { head: 'ssd' },
    });
    expect(modelSettings({ colours: 'grey', mean: '127' }).manifest.input).toEqual({ colours: 'grey', mean: [127] });
  });

  it('take labels from one line or many, and keep the empty ones that hide a class', () => {
    expect(modelSettings({ labels: 'cat, dog' }).manifest.labels).toEqual(['cat', 'dog']);
    expect(modelSettings({ labels: 'salt, pepper\n\nsugar' }).manifest.labels).toEqual(['salt, pepper', '', 'sugar']);
  });

  it('ask for no picture where a model takes numbers', () => {
    expect(modelSettings({ task: 'tensors', width: '320', head: 'ssd' }).manifest).toEqual({ task: 'tensors' });
  });

  it.each([
    [{ scoreThreshold: '2' }, 'EDGE_SETTING'],
    [{ threads: '1.5' }, 'EDGE_SETTING'],
    [{ placement: 'elsewhere' }, 'EDGE_SETTING'],
    [{ backend: 'abacus' }, 'EDGE_SETTING'],
    [{ executionProvider: 'steam' }, 'EDGE_SETTING'],
    [{ runTimeout: '0' }, 'EDGE_SETTING'],
    [{ memoryLimit: 'all' }, 'EDGE_SETTING'],
    [{ source: ['x'] }, 'EDGE_SETTING'],
    [{ source: 'https://example.com/a.onnx', sha256: 'short' }, 'EDGE_SETTING'],
    [{ width: 'wide' }, 'EDGE_MODEL_MANIFEST'],
    [{ mean: '1,2' }, 'EDGE_MODEL_MANIFEST'],
    [{ task: 'poetry' }, 'EDGE_MODEL_MANIFEST'],
  ])('refuse %j with %s', (config, expected) => expect(code(config)).toBe(expected));
});
