import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { existsSync } from 'node:fs';
import * as pg from 'pg';
import type { Config } from '#core/config/settings.ts';
import { thresholds as t } from '#core/config/thresholds.ts';
import { connectionsBeside } from '#core/database/connection-budget.ts';
import { toAddress } from '#core/database/database-url.ts';
import { findEmbeddedUrl } from '#core/database/postgres-socket.ts';
import { findPending, readMigrations } from '#core/database/migration-files.ts';
import { readApplied } from '#core/database/migrations.ts';
import type { DiscoveredPlugin } from '#core/plugin-host/manifest/discovery.ts';
import { checkJobs } from './check-jobs.ts';
import { failed, ok, unknown, warning, type Finding } from './finding.ts';

export interface DatabaseToCheck {
  readonly config: Pick<Config, 'dataDir' | 'databaseUrl' | 'dbPoolMax'>;
  readonly plugins: readonly DiscoveredPlugin[];
  readonly timeoutMs: number;
}

const coreMigrations = fileURLToPath(new URL('../database/migrations', import.meta.url));

/** The database, and what of it can only be seen in it: clock, connections, migrations, jobs. */
export async function checkDatabase(options: DatabaseToCheck): Promise<readonly Finding[]> {
  const { config, timeoutMs } = options;
  const url = config.databaseUrl ?? findEmbeddedUrl(config.dataDir);
  if (url === undefined)
    return [unknown('database', 'embedded, and not running', 'It starts with the core: npm start')];
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs,
    application_name: 'returnit doctor',
  });
  client.on('error', () => {
    // Whoever waits for an answer gets the same error.
  });
  try {
    const beganMs = performance.now();
    await client.connect();
    const reached = ok('database', `${toAddress(url)} answers after ${Math.round(performance.now() - beganMs)} ms`);
    return [
      reached,
      await checkClock(client),
      await checkConnections(client, config.dbPoolMax),
      await checkMigrations(client, options.plugins),
      ...(await checkJobs(client)),
    ];
  } catch (error) {
    const says = `${toAddress(url)}: ${(error as Error).message}`;
    return [failed('database', says, 'Look whether it runs, and at the name and password in DATABASE_URL.')];
  } finally {
    await client.end().catch(() => {
      // It never connected: there is nothing to end.
    });
  }
}

export async function checkClock(client: Pick<pg.Client, 'query'>): Promise<Finding> {
  const beganMs = Date.now();
  const { rows } = await client.query<{ ms: number }>(
    'select (extract(epoch from clock_timestamp()) * 1000)::float8 as ms',
  );
  const endedMs = Date.now();
  // Between question and answer it may have been any time.
  const behindMs = Math.max(0, beganMs - (rows[0]?.ms ?? 0), (rows[0]?.ms ?? 0) - endedMs);
  const says = `${Math.round(behindMs)} ms between this clock and the database's`;
  return behindMs <= t.clockSkew.value * 1000
    ? ok('clock', says)
    : warning(
        'clock',
        says,
        'Have both follow the same time (chrony, systemd-timesyncd): tokens and offers expire by it.',
      );
}

export async function checkConnections(client: Pick<pg.Client, 'query'>, poolMax: number): Promise<Finding> {
  const { rows } = await client.query<{ max: number; reserved: number; used: number; nodes: number }>(
    `select current_setting('max_connections')::int as max,
      current_setting('superuser_reserved_connections')::int
        + coalesce(current_setting('reserved_connections', true), '0')::int as reserved,
      (select count(*)::int from pg_stat_activity where backend_type = 'client backend') as used,
      (select count(*)::int from pg_stat_activity where application_name = 'returnit listen') as nodes`,
  );
  const { max = 0, reserved = 0, used = 0, nodes = 0 } = rows[0] ?? {};
  const free = max - reserved;
  const wanted = Math.max(1, nodes) * (poolMax + connectionsBeside);
  const says = `${used} of ${free} in use; ${Math.max(1, nodes)} × (DB_POOL_MAX ${poolMax} + ${connectionsBeside})`;
  const todo = 'Lower DB_POOL_MAX, or raise max_connections.';
  if (wanted > free) return failed('connections', says, todo);
  return used > free * t.pool.value ? warning('connections', says, todo) : ok('connections', says);
}

async function checkMigrations(client: pg.Client, plugins: readonly DiscoveredPlugin[]): Promise<Finding> {
  const { rows } = await client.query<{ known: boolean }>(
    `select to_regclass('returnit.migration') is not null as known`,
  );
  if (rows[0]?.known !== true) return ok('migrations', 'an empty database: the first start makes its tables');
  const pending: string[] = [];
  const newer: string[] = [];
  try {
    for (const [scope, dir] of [['core', coreMigrations] as const, ...toScopes(plugins)]) {
      const migrations = await readMigrations(dir, { gaps: scope === 'core' });
      const applied = await readApplied(client, scope);
      const open = findPending(migrations, applied);
      if (open.length > 0) pending.push(`${open.length} of ${scope}`);
      if (applied.some(({ version }) => migrations.every((migration) => migration.version !== version)))
        newer.push(scope);
    }
  } catch (error) {
    return failed('migrations', (error as Error).message, 'Take the files of the version that made this database.');
  }
  if (newer.length > 0) {
    return warning(
      'migrations',
      `a newer version has been here: ${newer.join(', ')}`,
      'Start that version here, too: this one does not know what it has changed.',
    );
  }
  return pending.length === 0
    ? ok('migrations', 'all are applied')
    : warning(
        'migrations',
        `not applied: ${pending.join(', ')}`,
        'The next start applies them; back the database up before.',
      );
}

function toScopes(plugins: readonly DiscoveredPlugin[]): readonly (readonly [string, string])[] {
  return plugins
    .map(({ manifest, folder }) => [manifest.name, join(folder, 'migrations')] as const)
    .filter(([, dir]) => existsSync(dir));
}
