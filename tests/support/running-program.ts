/** A program that a test needs beside it, on free ports of its own: started until it answers, ended with the test. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { findProgram } from './programs.ts';
import { until } from './until.ts';

export interface RunningProgram {
  readonly child: ChildProcess;
  /** Both streams. */
  readonly output: () => string;
  stop(): Promise<void>;
}

export interface ProgramOptions {
  readonly command: readonly [string, ...string[]];
  readonly environment?: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Answers 200 when it is ready. */
  readonly readyUrl: string;
}

const started = new Set<ChildProcess>();
// Whoever ends this process in the middle leaves nothing behind.
process.once('exit', () => {
  for (const child of started) child.kill('SIGKILL');
});

export async function startProgram({ command, environment, cwd, readyUrl }: ProgramOptions): Promise<RunningProgram> {
  const [name, ...args] = command;
  const child = spawn(findProgram(name), args, {
    cwd,
    env: { PATH: process.env['PATH'] ?? '', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.add(child);
  child.once('exit', () => started.delete(child));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const stop = async (): Promise<void> => {
    if (hasEnded()) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  try {
    await until(`${name} is ready`, async () => {
      if (hasEnded()) throw new Error(`${name} ended: ${output}`);
      return fetch(readyUrl).then(
        ({ ok }) => ok,
        () => false,
      );
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return { child, output: () => output, stop };
}
