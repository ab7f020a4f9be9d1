import { readdirSync, readFileSync } from 'node:fs';

/** Of the kernel's clock, in which /proc counts; 100 on every Linux that runs Node. */
const tickUs = 10_000;

interface ProcessStat {
  readonly parent: number;
  readonly name: string;
  /** User and system time, in µs. */
  readonly ownUs: number;
  /** The same of its children that have ended. */
  readonly endedUs: number;
}

/**
 * CPU time of a process and all below it whose name the filter takes, in µs since they started. Unlike requests per
 * second it hardly changes when other programs want the same cores.
 */
export function cpuOfTree(root: number, takes: (name: string) => boolean = () => true): number {
  const stats = readStats();
  const isBelow = (pid: number): boolean => {
    for (let at: number | undefined = pid; at !== undefined; at = stats.get(at)?.parent) if (at === root) return true;
    return false;
  };
  let total = 0;
  for (const [pid, stat] of stats) if (takes(stat.name) && isBelow(pid)) total += stat.ownUs + stat.endedUs;
  return total;
}

/** Postgres' server, its backends and its background processes, as far as this process has started them. */
export function cpuOfPostgres(): number {
  return cpuOfTree(process.pid, (name) => name.startsWith('postgres'));
}

function readStats(): ReadonlyMap<number, ProcessStat> {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return new Map(pids.flatMap((pid) => readStat(Number(pid))));
}

function readStat(pid: number): readonly (readonly [number, ProcessStat])[] {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    // It ended while the list was read.
    return [];
  }
  // The name stands in parentheses and may hold anything; the fields of proc(5) after it begin with the third.
  const name = text.slice(text.indexOf('(') + 1, text.lastIndexOf(')'));
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [parent = 0, own = 0, system = 0, ended = 0, endedSystem = 0] = [1, 11, 12, 13, 14].map(
    (index) => fields[index],
  );
  return [[pid, { parent, name, ownUs: (own + system) * tickUs, endedUs: (ended + endedSystem) * tickUs }]];
}
