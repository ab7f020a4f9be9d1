/** Processes by who started them, as Linux has it. */
import { readdirSync, readFileSync } from 'node:fs';
import { until } from './until.ts';

/** A process and all its descendants. */
export function familyOf(root: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    const stat = Number.isInteger(pid) ? readStat(pid) : undefined;
    if (stat !== undefined) parents.set(pid, stat.parent);
  }
  const family = [root];
  // A child is found after its parent has been: the list grows while it is read.
  for (const member of family) for (const [pid, parent] of parents) if (parent === member) family.push(pid);
  return family;
}

interface ProcessStat {
  readonly name: string;
  readonly state: string;
  readonly parent: number;
}

function readStat(pid: number): ProcessStat | undefined {
  try {
    const [, name = '', state = '', parent = ''] =
      /^\d+ \((.*)\) (\S) (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
    return { name, state, parent: Number(parent) };
  } catch {
    return undefined; // It ended meanwhile.
  }
}

/** A zombie has ended: it waits for its parent to notice. */
export function isRunning(pid: number): boolean {
  const stat = readStat(pid);
  return stat !== undefined && stat.state !== 'Z' && stat.state !== 'X';
}

export async function allEnd(pids: readonly number[]): Promise<void> {
  await until('every process has ended', () => !pids.some(isRunning));
}

/** It outlives its core, for the next one to take over. */
export function isPostgres(pid: number): boolean {
  return readStat(pid)?.name.startsWith('postgres') === true;
}

/** Its arguments, with the program's name; none when it has ended. */
export function commandOf(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  } catch {
    return []; // It ended meanwhile.
  }
}

export function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // It has ended meanwhile.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
