import * as pg from 'pg';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import { pluginConnectionsDefault } from './connection-budget.ts';
import { derivePluginSecret, toPluginUrl } from './database-url.ts';
import type { Database } from './database.ts';
import { quoteIdentifier, quoteLiteral, toRole, toSchema } from './identifiers.ts';
import { createRole, nodesMax, retryConcurrentUpdate } from './login-role.ts';
import { findPending, readMigrations, type Migration } from './migration-files.ts';
import { applyMigration, readApplied, withMigrationLock } from './migrations.ts';
import { reconcileViews, type UnresolvedRead } from './published-views.ts';
import { revokeDangerousFunctions } from './public-functions.ts';

export interface PluginPreparation {
  /** Kebab-case. */
  readonly name: string;
  readonly migrationsDir: string;
  /** `limits.connections` of the manifest. @default 5 */
  readonly connections?: number;
  /** Its views that others may be granted: `driver_position`. */
  readonly publishes: readonly string[];
  /** Other plugins' views that it may read, as granted: `tracking.driver_position`. */
  readonly reads: readonly string[];
}

export interface PreparedPlugins {
  /** Files applied now, by plugin. */
  readonly migrated: ReadonlyMap<string, readonly string[]>;
  /** Granted views that no plugin publishes on this database yet. They are granted when their owner starts. */
  readonly unresolved: readonly UnresolvedRead[];
}

const reservedNames = new Set([
  'core',
  'public',
  'returnit',
  'pgboss',
  'information-schema',
  'postgres',
  'other',
  'monitor',
]);
const namePattern = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;
/** `returnit_` and the name must fit Postgres' 63 bytes. */
const nameMaxLength = 54;

/**
 * Gives each plugin its login role, its schema and its migrations, then grants the published views. Everything may run
 * again at any time and on several nodes at once: one lock holds them apart, and each step states what shall be.
 *
 * A plugin's migrations run in a session of its own role, so that one can touch nothing that the plugin itself could
 * not; `set role` on the core's connection would not do, since the migration could take it back.
 *
 * @throws {AppError} MIGRATION_FAILED, INVALID_MANIFEST, DATABASE_ERROR
 */
export async function preparePlugins(
  database: Database,
  plugins: readonly PluginPreparation[],
  options: { readonly config: Pick<Config, 'dbStatementTimeoutMs' | 'dbTransactionTimeoutMs' | 'jobTimeoutMs'> },
): Promise<PreparedPlugins> {
  assertNames(plugins);
  const files = await Promise.all(
    plugins.map(async (plugin) => ({ plugin, migrations: await readMigrations(plugin.migrationsDir) })),
  );
  return withMigrationLock(database.admin, async () => {
    const client = await database.admin.connect();
    try {
      await prepareDatabase(client);
      for (const { plugin } of files) await prepareRole(client, { ...options, plugin, database });
      const migrated = new Map<string, readonly string[]>();
      for (const { plugin, migrations } of files)
        migrated.set(plugin.name, await migratePlugin(client, { plugin, migrations, database }));
      return { migrated, unresolved: await reconcileViews(client) };
    } finally {
      client.release(client.getTransactionStatus() !== 'I');
    }
  });
}

function assertNames(plugins: readonly PluginPreparation[]): void {
  const schemas = new Set<string>();
  for (const { name } of plugins) {
    const schema = toSchema(name);
    if (
      !namePattern.test(name) ||
      name.length > nameMaxLength ||
      reservedNames.has(name) ||
      name.startsWith('pg-') ||
      schemas.has(schema)
    ) {
      throw new AppError(
        'INVALID_MANIFEST',
        `Cannot prepare plugin "${name}": its name must be unique, in kebab-case, at most ${nameMaxLength} characters and not reserved`,
      );
    }
    schemas.add(schema);
  }
}

/** What PUBLIC may do by default, and a plugin's role would inherit. On a server that is not ours, as far as it lets us. */
async function prepareDatabase(client: pg.PoolClient): Promise<void> {
  const { rows } = await client.query<{ name: string }>('select pg_catalog.current_database() as name');
  const database = quoteIdentifier(rows[0]?.name ?? '');
  await client.query(`revoke connect, create, temporary on database ${database} from public`);
  await client.query('revoke all on schema public from public');
  await revokeDangerousFunctions(client);
}

async function prepareRole(
  client: pg.PoolClient,
  options: {
    readonly plugin: PluginPreparation;
    readonly database: Database;
    readonly config: Pick<Config, 'dbStatementTimeoutMs' | 'dbTransactionTimeoutMs' | 'jobTimeoutMs'>;
  },
): Promise<void> {
  const { plugin, database, config } = options;
  const role = quoteIdentifier(toRole(plugin.name));
  const schema = quoteIdentifier(toSchema(plugin.name));
  const { rows } = await client.query<{ name: string }>('select pg_catalog.current_database() as name');
  const databaseName = quoteIdentifier(rows[0]?.name ?? '');
  const limit = Math.max(plugin.connections ?? pluginConnectionsDefault, 1) * nodesMax;
  const password = quoteLiteral(derivePluginSecret(database.url, 'password', plugin.name));
  const settings = {
    search_path: schema,
    statement_timeout: String(config.dbStatementTimeoutMs),
    // The core ends a transaction at its deadline; the server does where the core no longer can.
    idle_in_transaction_session_timeout: String(Math.max(config.dbTransactionTimeoutMs, config.jobTimeoutMs) * 2),
    application_name: quoteLiteral(`returnit ${plugin.name}`),
  };
  try {
    await createRole(client, toRole(plugin.name));
    await retryConcurrentUpdate(() =>
      client.query(`alter role ${role} login noinherit connection limit ${limit} password ${password}`),
    );
    await joinRole(client, toRole(plugin.name), database.server.version);
    await retryConcurrentUpdate(() => client.query(`grant connect on database ${databaseName} to ${role}`));
    await client.query(`create schema if not exists ${schema} authorization ${role}`);
    for (const [name, value] of Object.entries(settings)) {
      await retryConcurrentUpdate(() =>
        client.query(`alter role ${role} in database ${databaseName} set ${name} = ${value}`),
      );
    }
    await client.query(`alter default privileges for role ${role} revoke execute on functions from public`);
    await client.query({
      text: `insert into returnit.plugin (role, name, token_hash, publishes, reads)
        values ($1, $2, sha256(convert_to($3, 'UTF8')), $4, $5)
        on conflict (role) do update set token_hash = excluded.token_hash, publishes = excluded.publishes, reads = excluded.reads`,
      values: [toRole(plugin.name), plugin.name, database.pluginToken(plugin.name), plugin.publishes, plugin.reads],
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new AppError(
      'DATABASE_ERROR',
      `Cannot prepare the database for plugin "${plugin.name}": ${reason}; the role of DATABASE_URL must own the database and may need CREATEROLE`,
      {
        details: { plugin: plugin.name, sqlstate: (error as { code?: string }).code },
        cause: error,
      },
    );
  }
}

/** A role that is no superuser must be a member of the plugin's to own things in its name. */
async function joinRole(client: pg.PoolClient, role: string, serverVersion: number): Promise<void> {
  const { rows } = await client.query<{ superuser: boolean; member: boolean }>({
    text: `select rolsuper as superuser, pg_catalog.pg_has_role(current_user, $1, ${quoteLiteral(serverVersion >= 16 ? 'SET' : 'MEMBER')}) as member
      from pg_catalog.pg_roles where rolname = current_user`,
    values: [role],
  });
  if (rows[0]?.superuser === true || rows[0]?.member === true) return;
  // From Postgres 16 on, who creates a role administers it without being able to act as it.
  await client.query(
    `grant ${quoteIdentifier(role)} to current_user${serverVersion >= 16 ? ' with inherit true, set true' : ''}`,
  );
}

async function migratePlugin(
  admin: pg.PoolClient,
  options: {
    readonly plugin: PluginPreparation;
    readonly migrations: readonly Migration[];
    readonly database: Database;
  },
): Promise<readonly string[]> {
  const { plugin, migrations, database } = options;
  const pending = findPending(migrations, await readApplied(admin, plugin.name));
  if (pending.length === 0) return [];
  const client = new pg.Client({ connectionString: toPluginUrl(database.url, plugin.name) });
  client.on('error', () => {
    // The statement that is under way rejects with the same error.
  });
  await client.connect();
  try {
    const token = database.pluginToken(plugin.name);
    for (const migration of pending) {
      await applyMigration(client, migration, () =>
        client.query('select returnit.record_plugin_migration($1, $2, $3, $4)', [
          token,
          migration.version,
          migration.name,
          migration.checksum,
        ]),
      );
    }
  } finally {
    await client.end();
  }
  return pending.map(({ name }) => name);
}
