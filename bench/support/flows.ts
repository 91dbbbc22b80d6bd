/** The flows that bench `camera` puts side by side. All begin at bench-source and end when their publish node calls done. */
interface Settings {
  folder: string;
  broker: number;
  window: number;
}

const TOPIC = 'bench/detections';

export function oursFlow(settings: Settings & { model?: string }): unknown[] {
  // What a user would do with a file of his own: name it; the rest is read from the file.
  const model = settings.model ? [{ id: 'model', type: 'edge-model', name: 'yolov8n', source: settings.model }] : [];
  return [
    ...frame(settings, 'publish'),
    ...model,
    { id: 'broker', type: 'edge-broker', address: `mqtt://127.0.0.1:${settings.broker}` },
    { ...at('infer', 2), type: 'edge-infer', model: settings.model ? 'model' : '', policy: 'wait', wires: [['publish']] },
    { ...at('publish', 3), type: 'edge-publish', broker: 'broker', topic: TOPIC, qos: '0', wires: [] },
  ];
}

export function yolov8Flow(settings: Settings): unknown[] {
  return [
    ...frame(settings, 'publish'),
    ...mqttOut(settings),
    {
      ...at('infer', 2),
      type: 'obj detection',
      topk: '100',
      iouThreshold: '0.5',
      confidenceThreshold: '0.25',
      modelPath: '',
      wires: [['pick']],
    },
    {
      ...at('pick', 3),
      type: 'change',
      rules: [{ t: 'move', p: 'annotations', pt: 'msg', to: 'payload', tot: 'msg' }],
      wires: [['publish']],
    },
  ];
}

export function functionFlow(settings: Settings & { model: string }): unknown[] {
  return [
    ...frame(settings, 'publish'),
    ...mqttOut(settings),
    {
      ...at('infer', 2),
      type: 'function',
      libs: [
        { var: 'sharp', module: 'sharp' },
        { var: 'ort', module: 'onnxruntime-node' },
      ],
      initialize: `context.set('session', await ort.InferenceSession.create(${JSON.stringify(settings.model)}));`,
      func: FUNCTION_NODE,
      outputs: 1,
      wires: [['publish']],
    },
  ];
}

/** The tab, the source, and the sink behind the publish node's completion. */
function frame(settings: Settings, last: string): unknown[] {
  return [
    { id: 'tab', type: 'tab', label: 'bench' },
    { ...at('source', 1), type: 'bench-source', folder: settings.folder, window: settings.window, wires: [['infer']] },
    { ...at('complete', 5), type: 'complete', scope: [last], wires: [['sink']] },
    { ...at('sink', 6), type: 'bench-sink', wires: [] },
  ];
}

function mqttOut(settings: Settings): unknown[] {
  return [
    {
      id: 'mqtt',
      type: 'mqtt-broker',
      broker: '127.0.0.1',
      port: String(settings.broker),
      protocolVersion: '4',
      keepalive: '60',
      cleansession: true,
      autoConnect: true,
    },
    { ...at('publish', 4), type: 'mqtt out', broker: 'mqtt', topic: TOPIC, qos: '0', retain: 'false', wires: [] },
  ];
}

function at(id: string, column: number) {
  return { id, z: 'tab', x: column * 160, y: 80 };
}

/** What people paste into a Function node: loops over pixels, a transposed output, non-maximum suppression. */
const FUNCTION_NODE = `
const session = context.get('session');
const size = 640;
const image = sharp(msg.payload);
const { width, height } = await image.metadata();
const scale = Math.min(size / width, size / height);
const { data } = await image
  .resize(size, size, { fit: 'contain', position: 'left top', background: { r: 114, g: 114, b: 114 } })
  .removeAlpha().raw().toBuffer({ resolveWithObject: true });
const area = size * size;
// A Function node has globals of its own, and the runtime wants its own realm's array.
const RuntimeArray = new ort.Tensor('float32', [0], [1]).data.constructor;
const input = new RuntimeArray(3 * area);
for (let i = 0; i < area; i++) {
  input[i] = data[3 * i] / 255;
  input[area + i] = data[3 * i + 1] / 255;
  input[2 * area + i] = data[3 * i + 2] / 255;
}
const { output0 } = await session.run({ images: new ort.Tensor('float32', input, [1, 3, size, size]) });
const [, rows, anchors] = output0.dims;
const boxes = [];
for (let a = 0; a < anchors; a++) {
  let best = 0, label = -1;
  for (let c = 4; c < rows; c++) {
    const score = output0.data[c * anchors + a];
    if (score > best) { best = score; label = c - 4; }
  }
  if (best < 0.25) continue;
  const [cx, cy, w, h] = [0, 1, 2, 3].map((r) => output0.data[r * anchors + a] / scale);
  boxes.push({ label, score: best, x: cx - w / 2, y: cy - h / 2, w, h });
}
boxes.sort((a, b) => b.score - a.score);
const kept = [];
for (const box of boxes) {
  const overlaps = kept.some((other) => {
    if (other.label !== box.label) return false;
    const w = Math.min(box.x + box.w, other.x + other.w) - Math.max(box.x, other.x);
    const h = Math.min(box.y + box.h, other.y + other.h) - Math.max(box.y, other.y);
    if (w <= 0 || h <= 0) return false;
    return (w * h) / (box.w * box.h + other.w * other.h - w * h) > 0.5;
  });
  if (!overlaps) kept.push(box);
}
msg.payload = kept;
return msg;
`;
