/** The Postgres 15 of Debian on a free loopback port, in a temporary folder. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as pg from 'pg';
import { until } from './until.ts';

const binaries = '/usr/lib/postgresql/15/bin';
const password = 'external-4711';

export interface ExternalPostgres {
  readonly url: string;
  readonly password: string;
  /** Fast shutdown; its files stay for `start`. */
  end(): Promise<void>;
  /** Again, after `end`. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Postgres does not run as root: then it runs as the user that its package made. */
function accountOf(): { readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const idOf = (option: string): number => Number(execFileSync('id', [option, 'postgres'], { encoding: 'utf8' }));
  return { uid: idOf('-u'), gid: idOf('-g') };
}

/** @param flags as Postgres takes them on its command line */
export async function startExternalPostgres(flags: readonly string[] = []): Promise<ExternalPostgres> {
  const folder = mkdtempSync(join(tmpdir(), 'returnit-postgres15-'));
  const account = accountOf();
  if (account.uid !== undefined && account.gid !== undefined) chownSync(folder, account.uid, account.gid);
  const cluster = join(folder, 'cluster');
  execFileSync(
    'sh',
    [
      '-c',
      `umask 077; printf %s "$1" > "$2/pw"; exec "$3/initdb" -D "$2/cluster" -U admin -A scram-sha-256 --pwfile="$2/pw" -E UTF8 --no-sync`,
      'sh',
      password,
      folder,
      binaries,
    ],
    { ...account, stdio: 'pipe', cwd: folder },
  );
  const port = await freePort();
  const settings = { listen_addresses: '127.0.0.1', port, unix_socket_directories: folder, fsync: 'off' };
  const args = [...flags, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
  const url = `postgres://admin:${password}@127.0.0.1:${port}/postgres`;
  let server: ChildProcess | undefined;

  async function start(): Promise<void> {
    server = spawn(join(binaries, 'postgres'), ['-D', cluster, ...args], { ...account, cwd: folder, stdio: 'ignore' });
    await until('Postgres 15 answers', () => answers(url));
  }
  async function end(): Promise<void> {
    if (server === undefined) return;
    const exited = once(server, 'exit');
    server.kill('SIGINT');
    await exited;
    server = undefined;
  }

  await start();
  return {
    url,
    password,
    end,
    start,
    async stop() {
      await end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url });
  try {
    await client.connect();
    return true;
  } catch {
    return false; // It is starting.
  } finally {
    await client.end();
  }
}
