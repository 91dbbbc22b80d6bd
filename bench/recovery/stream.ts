import { setTimeout as pause } from 'node:timers/promises';
import { Camera, openCamera } from '../../core/media/camera';
import type { Bench } from '../support/bench';
import { RtspStreams } from '../support/rtsp';
import { median, quantile } from '../support/statistics';

/** Longest time for which the camera is away, in seconds: long enough for the waits between tries to have grown to their longest. */
const AWAY_S = 12;

/**
 * An RTSP server is killed and comes back after 0 to 12 seconds. `recover_s`: from when it listens again to the first picture
 * (95th percentile; its own start of the encoder and the wait for the next try are in it).
 */
export async function stream(bench: Bench): Promise<void> {
  const rounds = bench.options.long ? 40 : 12;
  const server = await RtspStreams.start(1, 10);
  let wake: (() => void) | undefined;
  let lastError = 'none';
  const onError = (error: Error) => {
    lastError = error.message;
  };
  const settings = { url: server.url(0), kind: 'auto', framesPerSecond: 10 } as const;
  const camera = new Camera(openCamera(settings), 10, { onPicture: () => wake?.(), onState: () => {}, onError });
  const picture = () =>
    new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no picture in 120 s; the last error: ${lastError}`)), 120_000);
      wake = () => {
        clearTimeout(timer);
        wake = undefined;
        resolve();
      };
    });
  const seconds: number[] = [];
  try {
    camera.start();
    await picture();
    for (let round = 0; round < rounds; round++) {
      await server.kill();
      // Spread over the whole range, so that every state of the waits is met.
      const away = (AWAY_S * ((round * 7) % rounds)) / (rounds - 1);
      await pause(1000 * away);
      await server.up();
      const back = performance.now();
      await picture();
      seconds.push((performance.now() - back) / 1000);
      bench.note(`away ${away.toFixed(1)} s, a picture after ${seconds.at(-1)!.toFixed(2)} s`);
      await pause(500);
    }
  } finally {
    await camera.stop();
    await server.kill();
  }
  bench.record({ case: 'stream', measure: 'recover_s', value: quantile(seconds, 0.95), unit: 's', target: '< 5' });
  bench.record({ case: 'stream', measure: 'recover_median_s', value: median(seconds), unit: 's' });
}
