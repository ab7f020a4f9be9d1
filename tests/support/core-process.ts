/** The core as a process of its own, for what only a process can show: signals, exit codes, being killed. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Role } from '#plugin-api';
import { coreFlags } from '../../bin/core-flags.mjs';
import type { Addresses } from '#core/app/addresses.ts';
import { loadConfig } from '#core/config/config.ts';
import { createAuthenticator } from '#core/http/authentication.ts';
import { createApi, createApiChecks, type Api } from './api-client.ts';
import { allEnd, familyOf, isPostgres, send } from './process-family.ts';
import { projectDir } from './project-copy.ts';
import { until } from './until.ts';

export interface CoreProcess {
  readonly child: ChildProcess;
  readonly addresses: Addresses;
  readonly stdout: () => string;
  readonly stderr: () => string;
  as(role: Role, subject: string): Promise<Api>;
  /** The core and everything that it started: plugins, Postgres and its workers. */
  family(): number[];
  /** Sends the signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals>;
}

export interface CoreProcessOptions {
  readonly dataDir: string;
  readonly args?: readonly string[];
  /** Of Node, beside the core's own. */
  readonly nodeFlags?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** @default this one */
  readonly projectDir?: string;
}

const startTimeoutMs = 120_000;
const started = new Set<ChildProcess>();
// Also of a file that is ended at its deadline, which no `after` follows.
process.once('exit', () => {
  for (const child of started) child.kill('SIGKILL');
});

/** For `after`: what a failed test has left running is ended. */
export async function killCores(): Promise<void> {
  for (const child of started) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const family = familyOf(child.pid ?? 0);
    child.kill('SIGKILL');
    await allEnd(family.slice(1).filter((pid) => !isPostgres(pid)));
    for (const pid of family) send(pid, 'SIGQUIT');
    await allEnd(family);
  }
}

/** Starts the core and waits until it is ready. */
export async function startCore(options: CoreProcessOptions): Promise<CoreProcess> {
  const { dataDir } = options;
  const child = spawn(
    process.execPath,
    [
      ...coreFlags,
      ...(options.nodeFlags ?? []),
      join(options.projectDir ?? projectDir, 'core/main.ts'),
      'start',
      ...(options.args ?? []),
    ],
    {
      cwd: options.projectDir ?? projectDir,
      env: {
        PATH: process.env['PATH'] ?? '',
        DATA_DIR: dataDir,
        HTTP_PORT: '0',
        MQTT_PORT: '0',
        OPS_PORT: '0',
        ...options.environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  started.add(child);
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (output.stdout += String(chunk)));
  child.stderr.on('data', (chunk: Buffer) => (output.stderr += String(chunk)));
  await until(
    'the core is ready',
    () => {
      assert.equal(child.exitCode, null, `the core ended: ${output.stderr}${output.stdout}`);
      return output.stdout.includes('ReturnIt is ready');
    },
    startTimeoutMs,
  );
  const addresses = JSON.parse(await readFile(join(dataDir, 'addresses.json'), 'utf8')) as Addresses;
  const authenticator = await createAuthenticator({ config: loadConfig({}, { dataDir }) });
  const checks = createApiChecks(addresses.api);

  return {
    child,
    addresses,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    async as(role, subject) {
      const token = await authenticator.issueToken({ role, subject });
      return createApi({ url: addresses.api, token, check: checks.check });
    },
    family: () => familyOf(child.pid ?? 0),
    async end(signal) {
      const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
      child.kill(signal);
      const [code, killedBy] = await exited;
      return code ?? killedBy ?? 'SIGKILL';
    },
  };
}
