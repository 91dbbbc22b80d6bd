import { readdirSync, readFileSync } from 'node:fs';

/** The processes that models have for themselves under a process, by their ids. Linux only. */
export function modelProcesses(parent: number): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && parentOf(pid) === parent && nameOf(pid).startsWith('edgeloom-inference'));
}

/** Whether a process is there and no zombie. */
export function lives(pid: number): boolean {
  return !['', 'Z', 'X'].includes(stat(pid)[0] ?? '');
}

/** Seconds of CPU that a process has taken, all its threads together. */
export function cpuSeconds(pid: number): number {
  // Fields 14 and 15, utime and stime, in hundredths everywhere that this runs.
  const [utime, stime] = stat(pid).slice(11, 13).map(Number);
  return ((utime ?? 0) + (stime ?? 0)) / 100;
}

function parentOf(pid: number): number {
  return Number(stat(pid)[1]);
}

/** Fields of proc(5) /proc/[pid]/stat from 3, the state, on: the name before it may hold spaces and parentheses. */
function stat(pid: number): string[] {
  const text = read(`/proc/${pid}/stat`);
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

function nameOf(pid: number): string {
  return read(`/proc/${pid}/cmdline`);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // It ended meanwhile.
  }
}
