import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Measurement } from '../../bench/support/bench';
import { describeWith, ROOT } from '../support/needs';

/** The short form of `npm run bench -- redeploy`: a camera, six redeploys and four changes of the model in a real Node-RED. */
describeWith(['detector', 'sample'], 'redeploys and changes of a model under 30 frames a second', () => {
  let figures: Measurement[];
  beforeAll(async () => {
    figures = JSON.parse(await run('bench/run.mjs', 'redeploy', 'short', 'ours', '--json'));
  }, 280_000);
  const figure = (measure: string) => figures.find((one) => one.measure === measure)?.value;

  it('lose no frame that the queue did not drop by its policy, and say so of each', () => {
    expect(figure('sent')).toBeGreaterThan(300);
    expect(figure('lost_redeploy')).toBe(0);
    expect(figure('lost')).toBe(0);
  });

  it('leave Node-RED up and nothing behind', () => {
    expect(figure('crashes')).toBe(0);
    // One thread, file or timer that stays at every cycle would be 1.
    expect(figure('handle_growth')).toBeLessThan(0.9);
  });
});

function run(script: string, ...parameters: string[]): Promise<string> {
  const child = spawn(process.execPath, [join(ROOT, script), ...parameters], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  let complained = '';
  child.stdout.on('data', (chunk) => {
    said += chunk;
  });
  child.stderr.on('data', (chunk) => {
    complained += chunk;
  });
  return new Promise((resolve, reject) => {
    child.once('close', (code) => (code === 0 ? resolve(said) : reject(new Error(`ended with ${code}\n${complained}`))));
  });
}
