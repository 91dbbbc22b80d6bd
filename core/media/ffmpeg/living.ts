import type { ChildProcess } from 'node:child_process';

const living = new Set<ChildProcess>();

process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

/** Kill a child when this process exits, if it is still there: one that hangs in a driver would stay for ever. */
export function endWithUs(child: ChildProcess): void {
  living.add(child);
  const gone = () => living.delete(child);
  child.once('close', gone);
  // One that could not be killed says so, too, and is still there.
  child.once('error', () => child.pid === undefined && gone());
}
