import { type ChildProcess, spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { findFfmpeg } from '../core/media/ffmpeg';
import { startBroker } from './support/aedes';
import type { Bench } from './support/bench';
import { MeasuredNodeRed } from './support/node-red';
import { measureTree } from './support/process-tree';
import { RtspStreams } from './support/rtsp';
import { median, quantile } from './support/statistics';

const FRAMES_PER_SECOND = 10;
const ROUNDS = 5;
const TOPIC = 'bench/detections';

/**
 * So many RTSP streams (640x480 H.264, 10 pictures a second, one key frame every 2 s, TCP) in a real Node-RED, cases `1` and `4`.
 *
 * The whole way, camera -> infer (packaged detector) -> publish (QoS 1, a broker in this process), each camera with its own wires
 * and one model for all: `fps` of published results, `dropped` (pictures that a camera sent and no result was published of),
 * `age_p95_ms` (from the picture's last byte in Node-RED to the broker's acknowledgement of its result), `event_loop_p99_ms`
 * (resolution 1 ms, less the idle baseline), `cpu_share` (CPU time of Node-RED and its FFmpeg processes / time / cores).
 *
 * `decode_overhead_ratio`: CPU time of as many FFmpeg processes alone that decode the same streams to the same raw RGB, at the same
 * time, into /dev/null, divided by that of the cameras without anything behind them: their FFmpeg processes, and Node-RED's reading
 * of the pipes and its messages, less what the same Node-RED needs before they start. 1 would be a palette that costs nothing.
 */
export default async function cameras(bench: Bench): Promise<void> {
  const wanted = bench.options.rest.length > 0 ? bench.options.rest.map(Number) : [1, 4];
  for (const count of wanted) {
    const streams = await RtspStreams.start(count, FRAMES_PER_SECOND);
    try {
      await wholeWay(bench, streams, count);
      await decodeOverhead(bench, streams, count);
    } finally {
      await streams.kill();
    }
  }
}

async function wholeWay(bench: Bench, streams: RtspStreams, count: number): Promise<void> {
  const broker = await startBroker();
  const nodeRed = await MeasuredNodeRed.start(detectingFlow(streams, count, broker.port));
  try {
    await pause(2000);
    await nodeRed.countArrivals();
    await pause(4000);
    const idle = (await nodeRed.arrivals()).eventLoopP99Ms;
    await nodeRed.inject('start');
    // Each camera opens, the model loads, the first results are published.
    await reach(nodeRed, 20 * count);
    await nodeRed.countArrivals();
    const [began, before] = [performance.now(), nodeRed.tree().cpuMs];
    await pause(bench.options.long ? 300_000 : 30_000);
    const [elapsed, cpuMs] = [performance.now() - began, nodeRed.tree().cpuMs - before];
    const { count: arrived, dropped, agesMs, eventLoopP99Ms } = await nodeRed.arrivals();
    const name = String(count);
    bench.record({ case: name, measure: 'fps', value: (arrived * 1000) / elapsed, unit: 'frames/s' });
    bench.record({ case: name, measure: 'dropped', value: dropped, unit: 'frames' });
    bench.record({ case: name, measure: 'age_p95_ms', value: quantile(agesMs, 0.95), unit: 'ms' });
    bench.record({
      case: name,
      measure: 'event_loop_p99_ms',
      value: Math.max(0, eventLoopP99Ms - idle),
      unit: 'ms',
      target: '< 5',
    });
    bench.record({ case: name, measure: 'cpu_share', value: cpuMs / elapsed / availableParallelism(), unit: 'ratio' });
  } finally {
    await nodeRed.stop();
    await broker.close();
  }
}

async function decodeOverhead(bench: Bench, streams: RtspStreams, count: number): Promise<void> {
  const nodeRed = await MeasuredNodeRed.start(camerasAlone(streams, count));
  const ffmpeg = await findFfmpeg();
  const alone: ChildProcess[] = [];
  try {
    await pause(3000);
    // What watches the event loop costs more than the cameras: it runs in the baseline too.
    await nodeRed.countArrivals();
    const idle = await perSecond(10_000, () => nodeRed.tree().cpuMs);
    await nodeRed.countArrivals();
    await nodeRed.inject('start');
    for (let index = 0; index < count; index++) alone.push(decoder(ffmpeg, streams.url(index)));
    await reach(nodeRed, 30 * count);
    const theirs: number[] = [];
    const ours: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const before = { theirs: cpuOf(alone), ours: nodeRed.tree().cpuMs, at: performance.now() };
      await nodeRed.countArrivals();
      await pause(bench.options.long ? 30_000 : 8000);
      const elapsed = (performance.now() - before.at) / 1000;
      theirs.push((cpuOf(alone) - before.theirs) / elapsed);
      ours.push((nodeRed.tree().cpuMs - before.ours) / elapsed - idle);
      const { count: frames } = await nodeRed.arrivals();
      bench.note(
        `round ${round + 1}: FFmpeg alone ${theirs.at(-1)!.toFixed(1)}, cameras ${ours.at(-1)!.toFixed(1)} ms of CPU a second ` +
          `(idle ${idle.toFixed(1)} off), ${(frames / elapsed).toFixed(1)} frames/s`,
      );
    }
    const name = String(count);
    bench.record({ case: name, measure: 'decode_cpu_ms_per_s', value: median(ours), unit: 'ms/s' });
    bench.record({ case: name, measure: 'decode_overhead_ratio', value: median(theirs) / median(ours), unit: 'ratio' });
  } finally {
    for (const child of alone) child.kill('SIGKILL');
    await nodeRed.stop();
  }
}

/** As a user would have it: every picture in full size, nothing said about how to decode. */
function decoder(ffmpeg: string, url: string): ChildProcess {
  const input = ['-v', 'error', '-nostdin', '-rtsp_transport', 'tcp', '-i', url, '-an'];
  return spawn(ffmpeg, [...input, '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-y', '/dev/null'], { stdio: 'ignore' });
}

function cpuOf(children: ChildProcess[]): number {
  return children.reduce((sum, { pid }) => sum + measureTree(pid!).cpuMs, 0);
}

async function perSecond(ms: number, cpuMs: () => number): Promise<number> {
  const [began, before] = [performance.now(), cpuMs()];
  await pause(ms);
  return ((cpuMs() - before) * 1000) / (performance.now() - began);
}

async function reach(nodeRed: MeasuredNodeRed, count: number): Promise<void> {
  for (const end = Date.now() + 120_000; (await nodeRed.arrivals()).count < count; await pause(200)) {
    if (Date.now() > end) throw new Error(`too few pictures arrived:\n${nodeRed.log()}`);
  }
}

function camerasAlone(streams: RtspStreams, count: number): unknown[] {
  const cameraIds = Array.from({ length: count }, (_, index) => `camera${index}`);
  return [
    { id: 'tab', type: 'tab', label: 'bench' },
    startButton(cameraIds),
    ...cameraIds.map((id, index) => camera(id, streams.url(index), index, ['arrivals'])),
    { id: 'arrivals', type: 'bench-arrivals', z: 'tab', x: 500, y: 80, wires: [] },
  ];
}

function detectingFlow(streams: RtspStreams, count: number, brokerPort: number): unknown[] {
  const cameraIds = Array.from({ length: count }, (_, index) => `camera${index}`);
  const ways = cameraIds.flatMap((id, index) => [
    camera(id, streams.url(index), index, [`infer${index}`]),
    {
      id: `infer${index}`,
      type: 'edge-infer',
      z: 'tab',
      x: 360,
      y: 80 * index + 80,
      model: '',
      policy: 'latest',
      wires: [[`publish${index}`]],
    },
    {
      id: `publish${index}`,
      type: 'edge-publish',
      z: 'tab',
      x: 500,
      y: 80 * index + 80,
      broker: 'broker',
      topic: TOPIC,
      qos: '1',
      wires: [],
    },
  ]);
  return [
    { id: 'tab', type: 'tab', label: 'bench' },
    { id: 'broker', type: 'edge-broker', address: `mqtt://127.0.0.1:${brokerPort}` },
    startButton(cameraIds),
    ...ways,
    {
      id: 'complete',
      type: 'complete',
      z: 'tab',
      x: 640,
      y: 80,
      scope: cameraIds.map((_, index) => `publish${index}`),
      wires: [['arrivals']],
    },
    { id: 'arrivals', type: 'bench-arrivals', z: 'tab', x: 780, y: 80, wires: [] },
  ];
}

function camera(id: string, url: string, index: number, wires: string[]) {
  const settings = { url, kind: 'auto', framesPerSecond: String(2 * FRAMES_PER_SECOND), start: 'message', timeout: '20' };
  return { id, type: 'edge-camera', z: 'tab', x: 220, y: 80 * index + 80, name: id, ...settings, wires: [wires] };
}

function startButton(cameraIds: string[]) {
  const props = [{ p: 'payload', v: 'start', vt: 'str' }];
  return { id: 'start', type: 'inject', z: 'tab', x: 80, y: 80, props, repeat: '', once: false, wires: [cameraIds] };
}
