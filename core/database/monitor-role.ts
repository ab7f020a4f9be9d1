import type pg from 'pg';
import { toPluginUrl, derivePluginSecret } from './database-url.ts';
import type { Database } from './database.ts';
import { quoteIdentifier, quoteLiteral, toRole } from './identifiers.ts';
import { createRole, nodesMax, retryConcurrentUpdate } from './login-role.ts';
import { withMigrationLock } from './migrations.ts';

/** No plugin can have this name. */
const name = 'monitor';
/** Reads what the server says of itself, and nothing of what is stored in it. */
export const monitorRole = toRole(name);
/** That it may see other roles' sessions and statements. */
const statisticsRole = 'pg_read_all_stats';
export const grantStatement = `grant ${statisticsRole} to ${monitorRole}`;

/** Longest that a reading may take, and may wait for a lock: to look must not hold anything up. */
export const statementTimeoutMs = 5000;
const lockTimeoutMs = 500;
const insufficientPrivilege = '42501';

/** The same server and database, as the role that measures. */
export const toMonitorUrl = (url: string): string => toPluginUrl(url, name);

/**
 * Makes the role that measures Postgres. It may run again at any time and on several nodes at once.
 *
 * @returns false when the role of DATABASE_URL may not grant it what it needs: a superuser then has to, once
 */
export async function prepareMonitor(database: Pick<Database, 'admin' | 'url'>): Promise<boolean> {
  return withMigrationLock(database.admin, async () => {
    const client = await database.admin.connect();
    try {
      await makeRole(client, database.url);
      await makeStatementStatistics(client);
      return await grantStatistics(client);
    } finally {
      client.release(client.getTransactionStatus() !== 'I');
    }
  });
}

async function makeRole(client: pg.PoolClient, url: string): Promise<void> {
  const role = quoteIdentifier(monitorRole);
  const { rows } = await client.query<{ name: string }>('select pg_catalog.current_database() as name');
  const database = quoteIdentifier(rows[0]?.name ?? '');
  const settings = {
    search_path: 'pg_catalog',
    default_transaction_read_only: 'on',
    statement_timeout: String(statementTimeoutMs),
    lock_timeout: String(lockTimeoutMs),
    idle_in_transaction_session_timeout: String(statementTimeoutMs),
  };
  const password = quoteLiteral(derivePluginSecret(url, 'password', name));
  await createRole(client, monitorRole);
  await retryConcurrentUpdate(() =>
    client.query(`alter role ${role} login inherit connection limit ${nodesMax * 2} password ${password}`),
  );
  await retryConcurrentUpdate(() => client.query(`grant connect on database ${database} to ${role}`));
  for (const [setting, value] of Object.entries(settings)) {
    await retryConcurrentUpdate(() =>
      client.query(`alter role ${role} in database ${database} set ${setting} = ${value}`),
    );
  }
}

async function grantStatistics(client: pg.PoolClient): Promise<boolean> {
  const { rows } = await client.query<{ member: boolean; locks: boolean }>({
    text: `select pg_catalog.pg_has_role($1, '${statisticsRole}', 'usage') as member,
      pg_catalog.has_function_privilege($1, 'pg_catalog.pg_try_advisory_lock(int4, int4)', 'execute') as locks`,
    values: [monitorRole],
  });
  try {
    // Where the core could, it took this from all.
    if (rows[0]?.locks !== true)
      await client.query(`grant execute on function pg_catalog.pg_try_advisory_lock(int4, int4) to ${monitorRole}`);
    if (rows[0]?.member !== true) await retryConcurrentUpdate(() => client.query(grantStatement));
    return true;
  } catch (error) {
    if ((error as { code?: string }).code !== insufficientPrivilege) throw error;
    return false;
  }
}

/**
 * Statistics of statements where the server has loaded the library for it, as the embedded one has, and the core may make
 * the extension. They are the monitor's alone: plugins are not to see how often another asks.
 */
async function makeStatementStatistics(client: pg.PoolClient): Promise<void> {
  const { rows } = await client.query<{ wanted: boolean }>(
    `select pg_catalog.current_setting('pg_stat_statements.max', true) is not null
      and (select rolsuper from pg_catalog.pg_roles where rolname = current_user)
      and not exists (select from pg_catalog.pg_extension where extname = 'pg_stat_statements') as wanted`,
  );
  if (rows[0]?.wanted !== true) return;
  await client.query('create extension if not exists pg_stat_statements with schema returnit');
  const functions = 'returnit.pg_stat_statements(boolean), returnit.pg_stat_statements_info()';
  const views = 'returnit.pg_stat_statements, returnit.pg_stat_statements_info';
  await client.query(`revoke all on ${views} from public`);
  await client.query(`revoke all on function ${functions} from public`);
  await client.query(`grant usage on schema returnit to ${monitorRole}`);
  await client.query(`grant execute on function ${functions} to ${monitorRole}`);
}
