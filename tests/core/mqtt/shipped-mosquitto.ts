/** The shipped configuration of Mosquitto, with its ports and folders replaced by free and temporary ones. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDynamicSecurityFile } from '#core/mqtt/dynamic-security-file.ts';
import { freePort } from '../../support/external-postgres.ts';
import { projectDir } from '../../support/project-copy.ts';
import { until } from './fixture.ts';

export interface ShippedMosquitto {
  /** For devices. */
  readonly deviceUrl: string;
  /** For nodes, with their account. */
  readonly nodeUrl: string;
  /** Where it keeps its accounts. */
  readonly accountsFile: string;
  start(): Promise<void>;
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** As if its disk was new. */
  forgetAccounts(): void;
  stop(): Promise<void>;
}

const password = 'node secret/with@signs';

/** @param settings replace those of the file, by name */
export async function createShippedMosquitto(
  settings: Readonly<Record<string, string>> = {},
): Promise<ShippedMosquitto> {
  const folder = mkdtempSync(join(tmpdir(), 'returnit-mosquitto-'));
  const [devicePort, nodePort] = [await freePort(), await freePort()];
  const accountsFile = join(folder, 'dynamic-security.json');
  let text = readFileSync(join(projectDir, 'deploy/mosquitto/mosquitto.conf'), 'utf8')
    .replaceAll('/var/lib/mosquitto/', `${folder}/`)
    .replace('listener 1883', `listener ${devicePort} 127.0.0.1`)
    .replace('listener 1884', `listener ${nodePort} 127.0.0.1`);
  for (const [name, value] of Object.entries(settings)) {
    text = text.replace(new RegExp(`^${name} .*$`, 'm'), `${name} ${value}`);
  }
  const file = join(folder, 'mosquitto.conf');
  // As root it would change to the user of its package, who cannot write here.
  writeFileSync(file, `${text}user root\n`);
  const forgetAccounts = (): void => writeFileSync(accountsFile, createDynamicSecurityFile('returnit', password));
  forgetAccounts();
  let child: ChildProcess | undefined;

  async function isListening(port: number): Promise<boolean> {
    const socket = connect(port, '127.0.0.1');
    const open = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    return open;
  }

  async function end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const ending = child;
    child = undefined;
    if (ending === undefined || ending.exitCode !== null) return;
    const exited = once(ending, 'exit');
    ending.kill(signal);
    await exited;
  }

  return {
    deviceUrl: `mqtt://127.0.0.1:${devicePort}`,
    nodeUrl: `mqtt://returnit:${encodeURIComponent(password)}@127.0.0.1:${nodePort}`,
    accountsFile,
    forgetAccounts,
    async start() {
      child = spawn('mosquitto', ['-c', file], { stdio: 'ignore' });
      await until('mosquitto listens', () => isListening(nodePort));
    },
    end,
    async stop() {
      await end('SIGTERM');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
