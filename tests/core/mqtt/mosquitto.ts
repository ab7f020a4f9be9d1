/** A real Mosquitto 2 on a free loopback port, with its configuration and persistence in a temporary folder. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './fixture.ts';

const isPresent = spawnSync('mosquitto', ['-h']).error === undefined;

/** Why tests with Mosquitto are skipped, or false. Where CI=true they are not: a missing program fails there. */
export const skipWithoutMosquitto =
  isPresent || process.env['CI'] === 'true' ? false : 'mosquitto is not installed (apt-get install mosquitto)';

export interface Mosquitto {
  readonly url: string;
  /** Of the running broker. */
  readonly pid: number | undefined;
  start(): Promise<void>;
  /** SIGTERM lets it write its persistence; SIGKILL does not. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  stop(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
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

export interface MosquittoOptions {
  /** Saves after each change, which takes the longer the more is queued; otherwise each second and at SIGTERM. @default true */
  readonly saveEachChange?: boolean;
}

export async function createMosquitto({ saveEachChange = true }: MosquittoOptions = {}): Promise<Mosquitto> {
  const folder = mkdtempSync(join(tmpdir(), 'returnit-mosquitto-'));
  const port = await freePort();
  const file = join(folder, 'mosquitto.conf');
  const settings = [
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    'persistence true',
    `persistence_location ${folder}/`,
    // Saved after each change: what the tests kill it for is not the time since its last save.
    `autosave_on_changes ${saveEachChange}`,
    'autosave_interval 1',
    'max_inflight_messages 0',
    'max_queued_messages 0',
    'user root',
  ];
  writeFileSync(file, `${settings.join('\n')}\n`);
  let child: ChildProcess | undefined;

  async function end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const ending = child;
    child = undefined;
    if (ending === undefined || ending.exitCode !== null) return;
    const exited = once(ending, 'exit');
    ending.kill(signal);
    await exited;
  }

  return {
    url: `mqtt://127.0.0.1:${port}`,
    get pid() {
      return child?.pid;
    },
    async start() {
      child = spawn('mosquitto', ['-c', file], { stdio: 'ignore' });
      await until('mosquitto listens', () => isListening(port));
    },
    end,
    async stop() {
      await end('SIGTERM');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
