/** A bench, a game day or a run of the tests that ends in the middle, by a signal or an error, leaves nothing running. */
import { constants } from 'node:os';
import { commandOf, familyOf, isPostgres, isRunning, send } from './process-family.ts';

/** An orderly stop of a core ends by itself before. */
const stopMaxMs = 30_000;
const killMaxMs = 10_000;
const lookAgainMs = 50;

/**
 * When this process ends, also by SIGINT or SIGTERM, what it has started ends first. All of it in one turn of the event loop:
 * it does not see its platform go, neither fails at that nor starts the next one meanwhile.
 */
export function endStartedAtExit(): void {
  // Before those who kill a core as it is, whose Postgres is then nobody's child.
  process.prependOnceListener('exit', endStarted);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    // Not `once`: the second signal, which a terminal or a parent may send, would end it in the middle of this.
    process.on(signal, () => process.exit(128 + constants.signals[signal]));
  }
}

function endStarted(): void {
  const started = (): number[] => familyOf(process.pid).slice(1);
  // Only a core itself can stop a Postgres that it has from a core before it, which is nobody's child any more.
  const cores = started().filter(isCore);
  for (const pid of cores) send(pid, 'SIGTERM');
  waitUntilEnded(cores, stopMaxMs);
  // All are found before the first ends: what has lost its parent is in no family.
  const left = started().map((pid) => ({ pid, signal: isPostgres(pid) ? 'SIGQUIT' : 'SIGKILL' }) as const);
  // Parents first, so that nobody starts anew what has ended.
  for (const { pid, signal } of left) send(pid, signal);
  waitUntilEnded(
    left.map(({ pid }) => pid),
    killMaxMs,
  );
}

const isCore = (pid: number): boolean => commandOf(pid).some((argument) => argument.endsWith('core/main.ts'));

function waitUntilEnded(pids: readonly number[], maxMs: number): void {
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  const deadline = performance.now() + maxMs;
  while (pids.some(isRunning)) {
    const running = pids.filter(isRunning);
    if (performance.now() > deadline) {
      process.stderr.write(`Cannot end ${running.join(', ')} in ${maxMs} ms\n`);
      return;
    }
    Atomics.wait(sleeper, 0, 0, lookAgainMs);
  }
}
