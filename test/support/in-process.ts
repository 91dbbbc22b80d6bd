import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from './needs';

export interface Started {
  child: ChildProcess;
  /** What it printed so far. */
  stdout(): string;
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

const children = new Set<ChildProcess>();
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
});

/** Runs a script with an inference host in a process of its own, which may be made to end badly. */
export function inProcess(script: string, env: Record<string, string> = {}): Started {
  const host = join(ROOT, 'dist', 'core', 'inference', 'host.js');
  const whole = `
    const { InferenceHost } = require(${JSON.stringify(host)});
    const host = new InferenceHost(0);
    (async () => { ${script} })().catch((error) => { console.error(error); process.exit(9); });`;
  const child = spawn(process.execPath, ['-e', whole], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  children.add(child);
  let printed = '';
  child.stdout!.on('data', (chunk: Buffer) => {
    printed += chunk.toString();
  });
  const ended: Started['ended'] = new Promise((resolve) => {
    child.on('close', (code, signal) => {
      children.delete(child);
      resolve({ code, signal });
    });
  });
  return { child, stdout: () => printed, ended };
}
