import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readlinkSync, realpathSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { AppError } from '#core/errors/app-error.ts';

const pollMs = 10;

/** postmaster.pid: one value a line; the eighth appears when the server takes connections. */
export function readPostmasterFile(clusterDir: string): { readonly pid: number; readonly ready: boolean } | undefined {
  const file = join(clusterDir, 'postmaster.pid');
  if (!existsSync(file)) return undefined;
  let lines: string[];
  try {
    lines = readFileSync(file, 'utf8').split('\n');
  } catch (error) {
    // Removed between the two calls: Postgres has just stopped.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const pid = Number(lines[0]);
  return Number.isSafeInteger(pid) && pid > 1 ? { pid, ready: lines[7]?.trim() === 'ready' } : undefined;
}

/**
 * Whether this process is the Postgres of this folder. A pid alone proves nothing: after a crash or in a new container
 * it may belong to anything, which we would otherwise stop.
 */
export function isPostmasterOf(pid: number, clusterDir: string): boolean {
  try {
    if (existsSync('/proc/self/exe')) {
      if (!existsSync(`/proc/${pid}/exe`) && !isAlive(pid)) return false;
      return (
        basename(readlinkSync(`/proc/${pid}/exe`)).startsWith('postgres') &&
        readlinkSync(`/proc/${pid}/cwd`) === realpathSync(clusterDir)
      );
    }
    // Systems without /proc: the command line names the folder.
    const command = execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' });
    return command.includes('postgres') && command.includes(clusterDir);
  } catch {
    // Gone meanwhile, or another user's and so not ours: either way nothing to stop.
    return false;
  }
}

/** Whether it runs. A zombie does not: it holds nothing, and its parent may never collect it. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    // No /proc on this system.
    return !existsSync('/proc/self/stat');
  }
}

export async function waitForExit(pid: number, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (isAlive(pid)) {
    if (performance.now() > deadline) return false;
    await delay(pollMs);
  }
  return true;
}

/**
 * Stops a postmaster: fast shutdown, then immediate, then kill.
 *
 * @throws {AppError} DATABASE_UNREACHABLE when it survives that
 */
export async function stopPostmaster(pid: number, fastTimeoutMs: number): Promise<void> {
  const steps = [
    ['SIGINT', fastTimeoutMs],
    ['SIGQUIT', 5000],
    ['SIGKILL', 5000],
  ] as const;
  for (const [signal, timeoutMs] of steps) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return;
      throw error;
    }
    if (await waitForExit(pid, timeoutMs)) return;
  }
  throw new AppError('DATABASE_UNREACHABLE', `Cannot stop Postgres (pid ${pid}): it survived SIGKILL`);
}

/**
 * Makes the folder free for a new postmaster: one left running by a core that was killed is stopped, and the files left
 * by one that was killed are removed, since Postgres itself refuses to start while any process has the pid in them, a
 * zombie that nobody collects included.
 * The caller holds the lock of the data folder, so no other core can be starting one.
 */
export async function clearPostmaster(options: {
  readonly clusterDir: string;
  /** `<socketDir>/.s.PGSQL.<port>`. */
  readonly socket: string;
  readonly fastTimeoutMs: number;
}): Promise<'none' | 'stopped' | 'stale'> {
  const { clusterDir, socket, fastTimeoutMs } = options;
  const left = readPostmasterFile(clusterDir);
  const isRunning = left !== undefined && isPostmasterOf(left.pid, clusterDir);
  if (isRunning) await stopPostmaster(left.pid, fastTimeoutMs);
  for (const file of [join(clusterDir, 'postmaster.pid'), `${socket}.lock`, socket]) rmSync(file, { force: true });
  if (isRunning) return 'stopped';
  return left === undefined ? 'none' : 'stale';
}
