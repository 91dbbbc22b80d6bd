import { readdirSync, readFileSync } from 'node:fs';

export interface Process {
  pid: number;
  parent: number;
  /** The command line, its words separated by spaces. */
  command: string;
}

/** What runs on this machine, from /proc. Ended processes that nobody waited for have no command line and are left out. */
export function processes(): Process[] {
  const found: Process[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0').join(' ').trim();
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      // The command name, field 2, may hold spaces and parentheses.
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      if (command) found.push({ pid: Number(name), parent, command });
    } catch {
      // It ended while we looked.
    }
  }
  return found;
}

/** FFmpeg processes that somebody started with this text on their command line, whoever their parent is now. */
export function ffmpegWith(text: string): Process[] {
  return processes().filter(({ command }) => /ffmpeg/.test(command) && command.includes(text));
}

/** Those among the descendants of a process. */
export function ffmpegBelow(root: number): Process[] {
  const all = processes();
  const below = new Set([root]);
  for (let grew = true; grew; ) {
    grew = false;
    for (const { pid, parent } of all) {
      if (below.has(parent) && !below.has(pid)) grew = below.add(pid).has(pid);
    }
  }
  return all.filter(({ pid, command }) => pid !== root && below.has(pid) && /(^|\/)ffmpeg /.test(command));
}
