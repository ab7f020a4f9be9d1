/** A container for the core alone, where the machine lets us: a cgroup of version 1, as root. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

type Controller = 'cpu' | 'cpuacct' | 'memory';

const mount = '/sys/fs/cgroup';

/** The folder of the cgroup that this process is in. */
function ownFolder(controller: Controller): string {
  const line = readFileSync('/proc/self/cgroup', 'utf8')
    .split('\n')
    .find((each) => each.split(':')[1]?.split(',').includes(controller));
  return join(mount, controller, line?.split(':')[2] ?? '/');
}

/** Why there can be none, or false. */
export function skipWithoutCgroups(): string | false {
  try {
    for (const controller of ['cpu', 'cpuacct', 'memory'] as const) accessSync(ownFolder(controller), constants.W_OK);
    return false;
  } catch {
    return 'it needs cgroups of version 1 that can be written';
  }
}

export interface Cgroup {
  /** How the core comes into it when it starts; what it starts is in it, too. */
  readonly nodeFlags: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  add(pid: number): void;
  /** When all that was in it has ended. */
  remove(): void;
}

/** @param limits by file, such as `memory.limit_in_bytes` */
export function createCgroup(limits: Readonly<Record<string, number>>): Cgroup {
  const name = `returnit-gameday-${process.pid}`;
  const files = Object.keys(limits);
  const controllers: readonly Controller[] = [
    ...(files.some((file) => file.startsWith('cpu.')) ? (['cpu', 'cpuacct'] as const) : []),
    ...(files.some((file) => file.startsWith('memory.')) ? (['memory'] as const) : []),
  ];
  const folders = controllers.map((controller) => join(ownFolder(controller), name));
  for (const folder of folders) mkdirSync(folder);
  for (const [file, value] of Object.entries(limits)) {
    const controller = file.startsWith('memory.') ? 'memory' : 'cpu';
    writeFileSync(join(ownFolder(controller), name, file), String(value));
  }
  return {
    nodeFlags: [`--import=${join(import.meta.dirname, 'join-cgroup.mjs')}`],
    environment: { GAMEDAY_CGROUPS: folders.join(':') },
    add(pid) {
      for (const folder of folders) writeFileSync(join(folder, 'cgroup.procs'), String(pid));
    },
    remove() {
      for (const folder of folders) rmdirSync(folder);
    },
  };
}

const neighbours = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of neighbours) child.kill('SIGKILL');
});

/** A program of a line beside the core, until it is ended. */
export function startNeighbour(script: string): { readonly pid: number; end(): Promise<void> } {
  const child: ChildProcess = spawn(process.execPath, ['--eval', script], { stdio: 'ignore' });
  neighbours.add(child);
  return {
    pid: child.pid ?? 0,
    async end() {
      neighbours.delete(child);
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}
