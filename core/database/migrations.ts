import { fileURLToPath } from 'node:url';
import type pg from 'pg';
import { AppError } from '#core/errors/app-error.ts';
import {
  findPending,
  readMigrations,
  toMigrationError,
  type AppliedMigration,
  type Migration,
} from './migration-files.ts';

const coreMigrationsDir = fileURLToPath(new URL('migrations', import.meta.url));
/** Two numbers that nothing else in this database uses: "retu", "migr". */
const lockKey = [0x72657475, 0x6d696772] as const;
/** A long migration of another node is waited for; a lock that is never freed is told. */
const lockTimeoutMs = 300_000;
const lockNotAvailable = '55P03';

type Connector = Pick<pg.Pool, 'connect'>;

/**
 * Runs `work` while this node alone, of all on this database, migrates. The lock is held by an open transaction on a
 * connection of its own: it goes when that ends in any way, and needs no session, which a pooler may not give.
 *
 * @throws {AppError} MIGRATION_FAILED when another node keeps the lock
 */
export async function withMigrationLock<T>(pool: Connector, work: () => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let failed = true;
  try {
    await client.query('begin');
    await client.query(`set local lock_timeout = ${lockTimeoutMs}`);
    await client.query('set local statement_timeout = 0');
    await client.query('set local idle_in_transaction_session_timeout = 0');
    await client.query('select pg_catalog.pg_advisory_xact_lock($1, $2)', [...lockKey]).catch((error: unknown) => {
      if ((error as { code?: string }).code !== lockNotAvailable) throw error;
      throw new AppError(
        'MIGRATION_FAILED',
        `Cannot migrate: another node has held the migration lock for ${lockTimeoutMs / 1000} s`,
        { cause: error },
      );
    });
    const result = await work();
    await client.query('commit');
    failed = false;
    return result;
  } finally {
    // Destroyed after a failure: the server ends the transaction and frees the lock.
    client.release(failed);
  }
}

/**
 * The core's own migrations, in schema `returnit`, on a pool of at least two connections.
 *
 * @returns the names of those that were applied now
 * @throws {AppError} MIGRATION_FAILED
 */
export async function migrateCore(pool: Connector, dir: string = coreMigrationsDir): Promise<readonly string[]> {
  const migrations = await readMigrations(dir, { gaps: true });
  return withMigrationLock(pool, async () => {
    const client = await pool.connect();
    try {
      await ensureMigrationTable(client);
      const pending = findPending(migrations, await readApplied(client, 'core'));
      for (const migration of pending) {
        await applyMigration(client, migration, () =>
          client.query('insert into returnit.migration (scope, version, name, checksum) values ($1, $2, $3, $4)', [
            'core',
            migration.version,
            migration.name,
            migration.checksum,
          ]),
        );
      }
      return pending.map(({ name }) => name);
    } finally {
      // A failed migration may have left the session in any state.
      client.release(client.getTransactionStatus() !== 'I');
    }
  });
}

async function ensureMigrationTable(client: pg.ClientBase): Promise<void> {
  await client.query('create schema if not exists returnit');
  await client.query(`create table if not exists returnit.migration (
    scope text not null,
    version integer not null,
    name text not null,
    checksum text not null,
    applied_at timestamptz not null default now(),
    primary key (scope, version)
  )`);
}

export async function readApplied(
  client: Pick<pg.ClientBase, 'query'>,
  scope: string,
): Promise<readonly AppliedMigration[]> {
  const result = await client.query<{ version: number; checksum: string }>({
    text: 'select version, checksum from returnit.migration where scope = $1 order by version',
    values: [scope],
  });
  return result.rows;
}

/**
 * One migration in one transaction, recorded in it.
 *
 * @throws {AppError} MIGRATION_FAILED with the file and, where Postgres tells it, the position
 */
export async function applyMigration(
  client: pg.ClientBase,
  migration: Migration,
  record: () => Promise<unknown>,
): Promise<void> {
  await client.query('begin');
  try {
    await client.query('set local statement_timeout = 0');
    await client.query(migration.sql);
    if (client.getTransactionStatus() !== 'T') {
      throw new Error('it ends its transaction (commit, rollback); the core does that');
    }
    await record();
    await client.query('commit');
  } catch (error) {
    // After a failed connection there is nothing to roll back.
    await client.query('rollback').catch(() => {});
    throw toMigrationError(migration, error);
  }
}
