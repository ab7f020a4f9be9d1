/** A core as the operator starts it: its own process, and its own process group as under a terminal. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { until } from '../../support/until.ts';

/** As bin/returnit.mjs has them. */
const nodeFlags = ['--disable-sigusr1', '--disable-warning=ExperimentalWarning'];
const projectDir = join(import.meta.dirname, '../../..');

export interface StartedCore extends AsyncDisposable {
  readonly pid: number;
  readonly dataDir: string;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Of the whole process group, as the terminal's Ctrl-C does. */
  signal(signal: NodeJS.Signals): void;
  ready(): Promise<void>;
  readonly exited: Promise<readonly [code: number | null, signal: string | null]>;
}

export function startCore(options: {
  readonly dataDir: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}): StartedCore {
  const child = spawn(
    process.execPath,
    [...nodeFlags, join(projectDir, 'core/main.ts'), ...(options.args ?? ['start'])],
    {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'] ?? '',
        DATA_DIR: options.dataDir,
        HTTP_PORT: '0',
        MQTT_PORT: '0',
        OPS_PORT: '0',
        ...options.env,
      },
    },
  );
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const exited = once(child, 'close') as Promise<[number | null, string | null]>;
  const isRunning = (): boolean => child.exitCode === null && child.signalCode === null;
  const pid = child.pid ?? 0;
  return {
    pid,
    dataDir: options.dataDir,
    stdout: () => stdout,
    stderr: () => stderr,
    signal: (signal) => process.kill(-pid, signal),
    async ready() {
      await until(
        'the core is ready',
        () => {
          if (!isRunning()) throw new Error(`The core has ended: ${stdout}${stderr}`);
          return stdout.includes('ReturnIt is ready') && stdout.endsWith('\n');
        },
        60_000,
      );
    },
    exited,
    async [Symbol.asyncDispose]() {
      if (isRunning()) process.kill(pid, 'SIGTERM');
      await exited;
    },
  };
}
