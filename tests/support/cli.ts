/** The command line of the platform, as a shell runs it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import { projectDir } from './project-copy.ts';

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `returnit <args>` to its end, with these variables and no others of the test's. `from` is the project's folder. */
export async function runCli(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  from: string = projectDir,
): Promise<CliResult> {
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', join(from, 'core/main.ts'), ...args],
    { cwd: from, env: { PATH: process.env['PATH'] ?? '', ...environment }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit') as Promise<[number | null]>,
  ]);
  return { code, stdout, stderr };
}
