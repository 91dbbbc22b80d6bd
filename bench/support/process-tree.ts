import { readdirSync, readFileSync } from 'node:fs';

/** CPU milliseconds and resident MiB of a process and all its descendants, from /proc. Linux only. */
export function measureTree(root: number): { cpuMs: number; rssMb: number } {
  const parents = new Map<number, number[]>();
  const stats = new Map<number, { cpuTicks: number; rssPages: number }>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const stat = readStat(pid);
    if (!stat) continue;
    stats.set(pid, stat);
    parents.set(stat.parent, [...(parents.get(stat.parent) ?? []), pid]);
  }
  let ticks = 0;
  let pages = 0;
  const waiting = [root];
  for (let pid = waiting.pop(); pid !== undefined; pid = waiting.pop()) {
    ticks += stats.get(pid)?.cpuTicks ?? 0;
    pages += stats.get(pid)?.rssPages ?? 0;
    waiting.push(...(parents.get(pid) ?? []));
  }
  // proc(5): USER_HZ is 100 and a page 4 KiB on every platform that this bench runs on.
  return { cpuMs: ticks * 10, rssMb: (pages * 4096) / 2 ** 20 };
}

/** Fields of proc(5) /proc/[pid]/stat: 4 ppid, 14 utime, 15 stime, 16 and 17 those of ended children, 24 rss. */
function readStat(pid: number): { parent: number; cpuTicks: number; rssPages: number } | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined; // It ended while we looked.
  }
  // The command name, field 2, may hold spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const field = (number: number) => Number(fields[number - 3]);
  return { parent: field(4), cpuTicks: field(14) + field(15) + field(16) + field(17), rssPages: field(24) };
}
