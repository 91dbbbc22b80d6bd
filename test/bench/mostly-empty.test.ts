import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { mostlyEmpty } from '../../bench/support/mostly-empty';
import { frameBytes } from '../../core/message/frame';
import { describeWith, find } from '../support/needs';

describeWith(['ffmpeg'], 'the recording in which little happens', () => {
  const folder = mkdtempSync(join(tmpdir(), 'edgeloom-empty-'));
  const path = join(folder, 'busy.avi');
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** A white bar that goes over a grey picture from left to right, again and again: no place is white for long. */
  function makeClip(): void {
    const bar =
      'color=gray:size=96x64:rate=10:duration=40[g];color=white:size=8x64:rate=10[w];[g][w]overlay=x=mod(n*3\\,96):shortest=1';
    const { status, stderr } = spawnSync(
      find('ffmpeg')!,
      ['-loglevel', 'error', '-filter_complex', bar, '-c:v', 'mjpeg', '-q:v', '2', path],
      { encoding: 'utf8' },
    );
    if (status !== 0) throw new Error(stderr);
  }

  it('holds the empty scene with noise and drifting light, and comes to real frames', async () => {
    makeClip();
    const brightest: number[] = [];
    const mean: number[] = [];
    const passages: number[] = [];
    let index = 0;
    for await (const { frame, at, passage } of mostlyEmpty({ path, frames: 400 })) {
      expect(at).toBe(index * 200);
      if (passage) passages.push(index);
      if (index % 100 === 0 || index === 250) {
        const { channels } = await sharp(frameBytes(frame)).stats();
        brightest[index] = channels[0]!.max;
        mean[index] = channels[0]!.mean;
      }
      index += 1;
    }
    expect(index).toBe(1200);
    expect([passages.length, passages[0], passages.at(-1)]).toEqual([150, 240, 1029]);
    // The bar is not in the held scene, and is in the passage.
    expect(brightest[0]).toBeLessThan(170);
    expect(brightest[250]).toBeGreaterThan(200);
    // Light rises by 15 % within a quarter of its wave, and falls as much.
    expect(mean[100]! / mean[0]!).toBeCloseTo(1.15, 1);
    expect(mean[300]! / mean[0]!).toBeCloseTo(0.85, 1);
  }, 120_000);
});
