import * as pg from 'pg';
import type { Config } from '#core/config/settings.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import type { Database } from '../database.ts';
import { grantStatement, monitorRole, statementTimeoutMs, toMonitorUrl } from '../monitor-role.ts';
import { toUnreachable } from '../pool.ts';
import { activityReading, lockReading } from './activity-reading.ts';
import { databaseReading, replicationReading } from './database-reading.ts';
import { createFigures, type Figures } from './figures.ts';
import type { Reading, Scope } from './reading.ts';
import { indexReading, tableReading } from './relation-readings.ts';
import { statementReading } from './statement-reading.ts';

export interface StatisticsOptions {
  readonly database: Pick<Database, 'url'>;
  readonly plugins: readonly string[];
  readonly telemetry: Telemetry;
  readonly config: Pick<Config, 'dbStatisticsIntervalMs' | 'dbStatisticsTop'>;
}

export interface Statistics {
  /** Reads now, unless another node does; resolves when it has. */
  readNow(): Promise<void>;
  /** Idempotent. */
  stop(): Promise<void>;
}

const readings: readonly Reading[] = [
  activityReading,
  lockReading,
  databaseReading,
  replicationReading,
  tableReading,
  indexReading,
  statementReading,
];

/** Two numbers that nothing else in this database uses: "retu", "stat". */
const lockKey = [0x72657475, 0x73746174] as const;
const connectTimeoutMs = 5000;
const lockNotAvailable = '55P03';

interface Seen {
  readonly reading: Reading;
  readonly figures: Figures;
}

/**
 * Reads what Postgres says of itself every DB_STATISTICS_INTERVAL_MS, whoever scrapes and however often, on one of the
 * nodes: that whose session holds a lock. When it goes, however it goes, another has the lock within that time.
 *
 * On a connection of its own, as a role that can read nothing else: pools that are used up are when these are wanted.
 */
export function startStatistics({ database, plugins, telemetry, config }: StatisticsOptions): Statistics {
  const seen = readings.map((reading) => ({ reading, figures: createFigures(telemetry.metrics) }));
  const adminRole = decodeURIComponent(new URL(database.url).username);
  const read = createRead(telemetry, { adminRole, plugins, top: config.dbStatisticsTop });
  const tell = createTell(telemetry);
  let client: pg.Client | undefined;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;

  function forget(): void {
    for (const { figures } of seen) figures.clear();
    telemetry.metrics.gauge('returnit_postgres_last_read_timestamp_seconds').remove({});
  }

  async function end(): Promise<void> {
    const ending = client;
    client = undefined;
    await ending?.end().catch(() => {
      // It is broken: there is nothing to end.
    });
  }

  async function run(): Promise<void> {
    let problem: string | undefined;
    try {
      client ??= await open(database.url);
      // Stopped while it connected: `stop` ends it.
      if (stopped) return;
      if (await holdLock(client)) problem = await read(client, seen);
      else forget();
    } catch (error) {
      if (stopped) return;
      problem = toUnreachable(database.url, error).message;
      for (const { reading } of seen) countRead(telemetry, reading, 'error');
      forget();
      await end();
    }
    if (!stopped) tell(problem);
  }

  function readNow(): Promise<void> {
    if (stopped) return Promise.resolve();
    running ??= run().finally(() => {
      running = undefined;
      clearTimeout(timer);
      if (!stopped) timer = setTimeout(() => void readNow(), config.dbStatisticsIntervalMs);
    });
    return running;
  }

  void readNow();
  return {
    readNow,
    async stop() {
      stopped = true;
      clearTimeout(timer);
      // Ends what is being read as well.
      await end();
      await running;
      await end();
      forget();
    },
  };
}

/** Logs a problem when it begins and when it is over, not every time. */
function createTell(telemetry: Telemetry): (problem: string | undefined) => void {
  const logger = telemetry.logger.child({ component: 'statistics' });
  let told: string | undefined;
  return (problem) => {
    if (problem !== undefined && problem !== told) logger.warn({ problem }, 'Cannot read the statistics of Postgres');
    if (problem === undefined && told !== undefined) logger.info('The statistics of Postgres can be read again');
    told = problem;
  };
}

/** @returns what is wrong */
function createRead(
  telemetry: Telemetry,
  scope: Scope,
): (client: pg.Client, seen: readonly Seen[]) => Promise<string | undefined> {
  const seconds = telemetry.metrics.counter('returnit_postgres_read_seconds_total');
  const lastRead = telemetry.metrics.gauge('returnit_postgres_last_read_timestamp_seconds');

  async function readOne(client: pg.Client, { reading, figures }: Seen): Promise<string | undefined> {
    const startedAt = performance.now();
    let outcome: 'ok' | 'error' = 'error';
    try {
      await reading.read(client, figures, scope);
      outcome = 'ok';
      return undefined;
    } catch (error) {
      // A table that is locked has the size that it had a moment ago; anything else is not known any more.
      if ((error as { code?: string }).code !== lockNotAvailable) figures.clear();
      return `${reading.name}: ${(error as Error).message}`;
    } finally {
      countRead(telemetry, reading, outcome);
      seconds.inc({ reading: reading.name }, (performance.now() - startedAt) / 1000);
    }
  }

  return async (client, seen) => {
    const problems: string[] = [];
    for (const each of seen) {
      const problem = await readOne(client, each);
      if (problem !== undefined) problems.push(problem);
    }
    if (problems.length === 0) lastRead.set({}, Date.now() / 1000);
    return problems.length === 0 ? undefined : problems.join('; ');
  };
}

function countRead({ metrics }: Telemetry, { name: reading }: Reading, outcome: 'ok' | 'error'): void {
  metrics.counter('returnit_postgres_reads_total').inc({ reading, outcome });
}

/** @throws when it cannot be reached, or the role may not see what it is for: then each figure would be wrong */
async function open(url: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: toMonitorUrl(url),
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: statementTimeoutMs + connectTimeoutMs,
    keepAlive: true,
    application_name: 'returnit statistics',
  });
  client.on('error', () => {
    // The next statement rejects with the same error.
  });
  try {
    await client.connect();
    const { rows } = await client.query<{ sees: boolean }>(`select pg_has_role('pg_read_all_stats', 'usage') as sees`);
    if (rows[0]?.sees !== true)
      throw new Error(`role ${monitorRole} sees too little; as a superuser: ${grantStatement}`);
    return client;
  } catch (error) {
    await client.end().catch(() => {
      // It never connected: there is nothing to end.
    });
    throw error;
  }
}

/** A lock of the session: asked for again, it is held once more, so it is asked first whether it is held already. */
async function holdLock(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ held: boolean }>({
    text: `select case when exists (
        select from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()
          and database = (select oid from pg_database where datname = current_database())
          and classid = $1::int8::oid and objid = $2::int8::oid and objsubid = 2 and granted)
      then true else pg_try_advisory_lock($1::int, $2::int) end as held`,
    values: [...lockKey],
  });
  return rows[0]?.held === true;
}
