import { readFileSync } from 'node:fs';

const pageBytes = 4096;
/** USER_HZ, which Linux fixes at 100 for everything it shows in /proc. */
const ticksPerSecond = 100;

export interface ProcessUsage {
  readonly rssBytes: number;
  readonly cpuSeconds: number;
}

/** Resident memory and CPU time of a process as the kernel counts them; null when it is gone or there is no /proc. */
export function readProcessUsage(pid: number): ProcessUsage | null {
  try {
    // Not from a disk: to hand it to a thread and back takes longer than to read it.
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field, the program's name, may hold spaces and parentheses: fields are counted after its last one.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const field = (number: number): number => Number(fields[number - 3]);
    // proc(5): 14 utime, 15 stime, 24 rss.
    return { rssBytes: field(24) * pageBytes, cpuSeconds: (field(14) + field(15)) / ticksPerSecond };
  } catch {
    return null;
  }
}

/**
 * How long the first thread of a process, its supervisor, has waited for a processor since it started, in milliseconds;
 * null where the kernel does not tell.
 */
export function readRunDelayMs(pid: number): number | null {
  try {
    // Documentation/scheduler/sched-stats: time on the processor, time waiting for it (both in ns), timeslices.
    const [, waitedNs] = readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ');
    const waitedMs = Number(waitedNs) / 1e6;
    return Number.isFinite(waitedMs) ? waitedMs : null;
  } catch {
    return null;
  }
}
