/** What somebody pastes into a shell: bash without start-up files, with these variables and no others of the test's. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

export interface PasteOptions {
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  /** When it is ended, with all that it started. @default 60 */
  readonly seconds?: number;
}

export interface Pasted {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The exit code of what was ended because its time was over. */
export const timedOut = 124;

export async function paste(commands: string, { cwd, environment, seconds = 60 }: PasteOptions): Promise<Pasted> {
  const shell = spawn('timeout', ['--kill-after=5', String(seconds), 'bash', '--norc', '-c', commands], {
    cwd,
    env: { PATH: process.env['PATH'] ?? '', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr, [code]] = await Promise.all([
    text(shell.stdout),
    text(shell.stderr),
    once(shell, 'exit') as Promise<[number | null]>,
  ]);
  return { code, stdout, stderr };
}
