import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Bench } from './support/bench';
import { median } from './support/statistics';

const ROOT = join(__dirname, '..', '..');
const ROUNDS = 5;

/**
 * From `npm start` to the first detection on MQTT. `first-start`: in a copy of the tracked files with its dependencies there and
 * nothing built, as after a clone and `npm ci`. `next-start`: the same once more.
 */
export default async function firstDetection(bench: Bench): Promise<void> {
  const first: number[] = [];
  const next: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const clone = preparedClone();
    try {
      first.push(await secondsToReady(clone));
      next.push(await secondsToReady(clone));
      bench.note(`round ${round + 1}: ${first.at(-1)!.toFixed(1)} s, then ${next.at(-1)!.toFixed(1)} s`);
    } finally {
      rmSync(clone, { recursive: true, force: true });
    }
  }
  bench.record({ case: 'first-start', measure: 'first_detection_s', value: median(first), unit: 's', target: '< 20' });
  bench.record({ case: 'next-start', measure: 'first_detection_s', value: median(next), unit: 's' });
}

function preparedClone(): string {
  const clone = mkdtempSync(join(tmpdir(), 'edgeloom-clone-'));
  const tracked = execFileSync('git', ['ls-files', '-z'], { cwd: ROOT, encoding: 'utf8' }).split('\0').filter(Boolean);
  for (const file of tracked) {
    mkdirSync(dirname(join(clone, file)), { recursive: true });
    cpSync(join(ROOT, file), join(clone, file));
  }
  symlinkSync(join(ROOT, 'node_modules'), join(clone, 'node_modules'));
  return clone;
}

async function secondsToReady(clone: string): Promise<number> {
  const started = performance.now();
  const child = spawn('npm', ['start'], {
    cwd: clone,
    env: { ...process.env, PORT: String(await freePort()) },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  try {
    await ready(child);
    return (performance.now() - started) / 1000;
  } finally {
    await stop(child);
  }
}

function ready(child: ChildProcess): Promise<void> {
  const said: string[] = [];
  return new Promise((resolve, reject) => {
    for (const stream of [child.stdout!, child.stderr!]) {
      createInterface({ input: stream }).on('line', (line) => {
        said.push(line);
        if (line === 'READY') resolve();
      });
    }
    child.once('close', (code) => reject(new Error(`npm start ended with ${code}\n${said.slice(-40).join('\n')}`)));
  });
}

/** As Ctrl-C in a terminal does it: the whole group is asked. */
async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const closed = new Promise((resolve) => child.once('close', resolve));
  process.kill(-child.pid!, 'SIGINT');
  await closed;
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
