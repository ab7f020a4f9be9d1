import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, fstatSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import * as pg from 'pg';
import { AppError } from '#core/errors/app-error.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { embeddedName, openCluster, postgresEnvironment, syncCluster, type Cluster } from './postgres-cluster.ts';
import { limitLogFile } from './postgres-log.ts';
import { openSocketDir, socketName, socketPort, toSocketUrl } from './postgres-socket.ts';
import { clearPostmaster, readPostmasterFile, stopPostmaster } from './postmaster.ts';

export interface EmbeddedPostgres {
  /** Superuser URL of its database, over a Unix socket that only root and Postgres' own account can reach. */
  readonly url: string;
  /** Of the running postmaster; it changes when Postgres had to be restarted. */
  readonly pid: number;
  /** Idempotent. */
  stop(): Promise<void>;
}

export interface EmbeddedPostgresOptions {
  /** Held by `lockDataFolder()`: nobody else starts Postgres on it. */
  readonly dataDir: string;
  /** What `openCluster()` makes of it, when that has been begun already. */
  readonly cluster?: Promise<Cluster> | null;
  /** DB_POOL_MAX of the core. */
  readonly connectionsMax: number;
  readonly telemetry: Telemetry;
  /** More server settings, over ours. @default {} */
  readonly settings?: Readonly<Record<string, string>>;
  /** @default 10000 */
  readonly stopTimeoutMs?: number;
}

/** Beside the budget: LISTEN connections, cancellations, an operator's psql, and Postgres' own reserve of 3. */
const connectionsReserve = 20;
const readyTimeoutMs = 60_000;
const readyPollMs = 5;
const restartDelayMs = 100;
const leftBackendsMaxMs = 30_000;
const restartDelayMaxMs = 10_000;
/** A server that ran this long starts its back-off anew. */
const healthyMs = 60_000;

/**
 * Starts Postgres 18 on `<dataDir>/postgres`, making the cluster first where there is none, and keeps it running:
 * when it dies while the core lives, it is started again after a growing delay.
 *
 * @throws {AppError} DATABASE_UNREACHABLE
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { telemetry, stopTimeoutMs = 10_000 } = options;
  const logger = telemetry.logger.child({ component: 'postgres' });
  const dataDir = resolve(options.dataDir);
  const cluster = await (options.cluster ?? openCluster(dataDir));
  const socketDir = openSocketDir(cluster);
  const left = await clearPostmaster({
    clusterDir: cluster.dir,
    socket: join(socketDir, socketName),
    fastTimeoutMs: stopTimeoutMs,
  });
  if (left !== 'none') logger.warn({ left }, 'Embedded Postgres was not stopped by the last core; recovered');
  const logFile = join(dataDir, 'postgres.log');
  const stopLimit = limitLogFile(logFile);
  const start = (): Promise<ChildProcess> =>
    startPostmaster({
      cluster,
      socketDir,
      logFile,
      settings: { max_connections: String(options.connectionsMax + connectionsReserve), ...options.settings },
    });
  const url = (database: string): string => toSocketUrl({ password: cluster.password, socketDir, database });

  let child: ChildProcess;
  try {
    const [started] = await Promise.all([startFirst(start), cluster.isNew ? syncCluster(cluster) : undefined]);
    child = started;
  } catch (error) {
    stopLimit();
    throw error;
  }
  const supervision = supervise({ first: child, start, telemetry, stopTimeoutMs });
  const stop = async (): Promise<void> => {
    await supervision.stop();
    stopLimit();
    if (socketDir !== cluster.dir) rmSync(socketDir, { recursive: true, force: true });
  };
  try {
    await ensureDatabase(url('template1'));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url: url(embeddedName),
    get pid() {
      return supervision.pid;
    },
    stop,
  };
}

/** When postmaster and core were killed together, a backend in the middle of a long query goes on for a while. */
async function startFirst(start: () => Promise<ChildProcess>): Promise<ChildProcess> {
  const deadline = performance.now() + leftBackendsMaxMs;
  for (;;) {
    try {
      return await start();
    } catch (error) {
      const isHeld = error instanceof AppError && error.details['held'] === true;
      if (!isHeld || performance.now() > deadline) throw error;
      await delay(restartDelayMs);
    }
  }
}

async function startPostmaster(options: {
  readonly cluster: Cluster;
  readonly socketDir: string;
  readonly logFile: string;
  readonly settings: Readonly<Record<string, string>>;
}): Promise<ChildProcess> {
  const { cluster, socketDir, logFile } = options;
  const settings: Record<string, string | number> = {
    listen_addresses: '',
    port: socketPort,
    unix_socket_directories: `"${socketDir}"`,
    unix_socket_permissions: '0700',
    shared_buffers: '128MB',
    max_wal_size: '1GB',
    wal_compression: 'on',
    random_page_cost: 1.1,
    // Rows hold addresses and coordinates: a failing statement is logged without its text and without the row.
    log_min_error_statement: 'panic',
    log_error_verbosity: 'terse',
    log_timezone: 'UTC',
    timezone: 'UTC',
    log_line_prefix: '%m [%p] %a ',
    log_lock_waits: 'on',
    // Which statements take the server's time. Utility statements are left out: theirs may hold a role's password.
    shared_preload_libraries: 'pg_stat_statements',
    'pg_stat_statements.track_utility': 'off',
    'pg_stat_statements.max': 2000,
    ...options.settings,
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const { file, args, ids } = cluster.account.command(join(cluster.binDir, 'postgres'), ['-D', cluster.dir, ...flags]);
  const log = openSync(logFile, 'a', 0o600);
  const logStart = fstatSync(log).size;
  // Its own session: Ctrl-C on the terminal is for the core, which stops Postgres last.
  const child = spawn(file, args, {
    ...ids,
    env: postgresEnvironment,
    cwd: '/',
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  let failure: string | undefined;
  child.once('error', (error) => (failure = error.message));
  child.once('exit', (code, signal) => (failure = `it ended with ${signal ?? `code ${code}`}: ${readTail(logFile)}`));
  const deadline = performance.now() + readyTimeoutMs;
  for (;;) {
    if (failure !== undefined) {
      // The backend that holds it may write to the same log.
      const held = readFileSync(logFile).subarray(logStart).includes('shared memory block');
      throw new AppError('DATABASE_UNREACHABLE', `Cannot start embedded Postgres: ${failure}`, { details: { held } });
    }
    const state = readPostmasterFile(cluster.dir);
    if (state?.ready === true && state.pid === child.pid) return child;
    if (performance.now() > deadline) {
      child.kill('SIGQUIT');
      throw new AppError(
        'DATABASE_UNREACHABLE',
        `Cannot start embedded Postgres: it is not ready after ${readyTimeoutMs} ms; see "${logFile}"`,
      );
    }
    await delay(readyPollMs);
  }
}

/** One owner of the process: `running` or `restarting` until `stop()`, then `stopped`. */
function supervise(options: {
  readonly first: ChildProcess;
  readonly start: () => Promise<ChildProcess>;
  readonly telemetry: Telemetry;
  readonly stopTimeoutMs: number;
}): { readonly pid: number; stop(): Promise<void> } {
  const { start, telemetry, stopTimeoutMs } = options;
  const logger = telemetry.logger.child({ component: 'postgres' });
  const restarts = telemetry.metrics.counter('returnit_postgres_restarts_total');
  restarts.inc({}, 0);
  const stopping = new AbortController();
  let child = options.first;
  let restarting: Promise<void> | undefined;
  let failures = 0;

  const watch = (): void => {
    const startedAt = performance.now();
    child.once('exit', (code, signal) => {
      if (stopping.signal.aborted) return;
      if (performance.now() - startedAt > healthyMs) failures = 0;
      logger.error({ code, signal }, 'Embedded Postgres ended; starting it again');
      restarting = restart();
    });
  };
  const restart = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const delayMs = Math.min(restartDelayMs * 2 ** failures, restartDelayMaxMs);
      failures += 1;
      await delay(delayMs, undefined, { signal: stopping.signal }).catch(() => {
        // Stopping: the loop ends.
      });
      if (stopping.signal.aborted) return;
      try {
        child = await start();
        restarts.inc();
        logger.info({ pid: child.pid }, 'Embedded Postgres runs again');
        watch();
        return;
      } catch (error) {
        // After SIGKILL the old backends hold the shared memory for a moment; anything lasting stays in the log.
        logger.error({ err: error, delayMs }, 'Embedded Postgres did not start');
      }
    }
  };
  watch();
  let stopped: Promise<void> | undefined;
  return {
    get pid() {
      return child.pid ?? 0;
    },
    stop() {
      stopped ??= (async () => {
        stopping.abort();
        await restarting;
        if (child.exitCode === null && child.signalCode === null) {
          const exited = new Promise((resolveExit) => child.once('exit', resolveExit));
          await Promise.all([exited, stopPostmaster(child.pid ?? 0, stopTimeoutMs)]);
        }
      })();
      return stopped;
    },
  };
}

/** @param url - of template1, the one database that every cluster has */
async function ensureDatabase(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, application_name: 'returnit start' });
  await client.connect();
  try {
    const found = await client.query({
      text: 'select from pg_catalog.pg_database where datname = $1',
      values: [embeddedName],
    });
    if (found.rowCount === 0) {
      // Only one database is used; the plugins' roles have no business in the others.
      await client.query('revoke connect on database template1 from public');
      // What initdb made for an operator's programs is empty: to name it is quicker than to copy another one.
      await client.query(`alter database postgres rename to ${embeddedName}`);
    }
  } finally {
    await client.end();
  }
}

function readTail(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n').slice(-3).join(' | ') : 'no log';
}
