/** A real Mosquitto 2 on free loopback ports, with its configuration and persistence in a temporary folder. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDynamicSecurityFile } from '#core/mqtt/dynamic-security-file.ts';
import { freePort } from '../../support/external-postgres.ts';
import { projectDir } from '../../support/project-copy.ts';
import { until } from './fixture.ts';
import { buildJournal, skipWithoutJournal } from './mosquitto-journal.ts';

const isPresent = spawnSync('mosquitto', ['-h']).error === undefined;

/** Why tests with Mosquitto are skipped, or false. Where CI=true they are not: a missing program fails there. */
export const skipWithoutMosquitto =
  isPresent || process.env['CI'] === 'true' ? false : 'mosquitto is not installed (apt-get install mosquitto)';

/** The same for the shipped one, which has the journal. */
export const skipWithoutShippedMosquitto = skipWithoutMosquitto || skipWithoutJournal;

interface MosquittoProcess {
  /** Of the running broker. */
  readonly pid: number | undefined;
  /** What it has logged since it was created. */
  readonly log: string;
  start(): Promise<void>;
  /** SIGTERM lets it write its persistence; SIGKILL does not. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  stop(): Promise<void>;
}

export interface Mosquitto extends MosquittoProcess {
  readonly url: string;
}

export interface MosquittoOptions {
  /** Saves after each change, which takes the longer the more is queued; otherwise each second and at SIGTERM. @default true */
  readonly saveEachChange?: boolean;
  /** Messages that wait for a client beside those that it may have unacknowledged; more are dropped. @default without limit */
  readonly queuedMax?: number;
}

/** Anybody's, without limits. */
export async function createMosquitto(options: MosquittoOptions = {}): Promise<Mosquitto> {
  const { saveEachChange = true, queuedMax = 0 } = options;
  const folder = createFolder();
  const port = await freePort();
  const broker = createProcess(folder, port, [
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    'persistence true',
    `persistence_location ${folder}/`,
    // Saved after each change: what the tests kill it for is not the time since its last save.
    `autosave_on_changes ${saveEachChange}`,
    'autosave_interval 1',
    'max_inflight_messages 0',
    `max_queued_messages ${queuedMax}`,
  ]);
  return Object.assign(broker, { url: `mqtt://127.0.0.1:${port}` });
}

export interface ShippedMosquitto extends MosquittoProcess {
  /** For devices. */
  readonly deviceUrl: string;
  /** For nodes, with their account. */
  readonly nodeUrl: string;
  /** Where it keeps its accounts. */
  readonly accountsFile: string;
  /** What was acknowledged since it has last written its state. */
  readonly journalFile: string;
  /** As if its disk was new. */
  forgetAccounts(): void;
}

const password = 'node secret/with@signs';

/**
 * The shipped configuration, with its ports and folders replaced.
 *
 * @param settings replace those of the file, by name
 */
export async function createShippedMosquitto(
  settings: Readonly<Record<string, string>> = {},
): Promise<ShippedMosquitto> {
  const folder = createFolder();
  const [devicePort, nodePort] = [await freePort(), await freePort()];
  const accountsFile = join(folder, 'dynamic-security.json');
  let text = readFileSync(join(projectDir, 'deploy/mosquitto/mosquitto.conf'), 'utf8')
    .replaceAll('/var/lib/mosquitto/', `${folder}/`)
    .replace('/usr/local/lib/mosquitto_journal.so', buildJournal())
    .replace('listener 1883', `listener ${devicePort} 127.0.0.1`)
    .replace('listener 1884', `listener ${nodePort} 127.0.0.1`);
  for (const [name, value] of Object.entries(settings)) {
    text = text.replace(new RegExp(`^${name} .*$`, 'm'), `${name} ${value}`);
  }
  const forgetAccounts = (): void => writeFileSync(accountsFile, createDynamicSecurityFile('returnit', password));
  forgetAccounts();
  return Object.assign(createProcess(folder, nodePort, text.trimEnd().split('\n')), {
    deviceUrl: `mqtt://127.0.0.1:${devicePort}`,
    nodeUrl: `ws://returnit:${encodeURIComponent(password)}@127.0.0.1:${nodePort}`,
    accountsFile,
    journalFile: join(folder, 'journal'),
    forgetAccounts,
  });
}

const createFolder = (): string => mkdtempSync(join(tmpdir(), 'returnit-mosquitto-'));

function createProcess(folder: string, port: number, settings: readonly string[]): MosquittoProcess {
  const file = join(folder, 'mosquitto.conf');
  // As root it would change to the user of its package, who cannot write here.
  writeFileSync(file, `${[...settings, 'user root'].join('\n')}\n`);
  let child: ChildProcess | undefined;
  let log = '';

  async function end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const ending = child;
    child = undefined;
    if (ending === undefined || ending.exitCode !== null) return;
    const exited = once(ending, 'exit');
    ending.kill(signal);
    await exited;
  }

  return {
    get pid() {
      return child?.pid;
    },
    get log() {
      return log;
    },
    async start() {
      const starting = spawn('mosquitto', ['-c', file], { stdio: ['ignore', 'ignore', 'pipe'] });
      starting.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
      let isOver = false;
      starting.once('close', () => (isOver = true));
      child = starting;
      await until('mosquitto listens', () => {
        if (isOver) throw new Error(`Cannot start mosquitto: ${log}`);
        return isListening(port);
      });
    },
    end,
    async stop() {
      await end('SIGTERM');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const open = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
  });
  socket.destroy();
  return open;
}
