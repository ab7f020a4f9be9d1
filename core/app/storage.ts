import { join } from 'node:path';
import type { Config } from '#core/config/settings.ts';
import type { Cluster } from '#core/database/postgres-cluster.ts';
import { createDatabase, type Database } from '#core/database/database.ts';
import { startEmbeddedPostgres } from '#core/database/embedded-postgres.ts';
import { migrateCore } from '#core/database/migrations.ts';
import { grantStatement, prepareMonitor } from '#core/database/monitor-role.ts';
import { preparePlugins } from '#core/database/plugin-roles.ts';
import type { AdmittedPlugins } from '#core/plugin-host/admission.ts';
import { effectiveGrants } from '#core/plugin-host/permissions/permission-rules.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';

export interface StorageOptions {
  readonly config: Config;
  readonly telemetry: Telemetry;
}

/** DATABASE_URL, or a Postgres of our own in the data folder: the same engine either way. */
export async function startPostgres(
  options: StorageOptions & { readonly cluster: Promise<Cluster> | null },
): Promise<{ readonly url: string; readonly kind: 'embedded' | 'external'; stop(): Promise<void> }> {
  const { config, telemetry, cluster } = options;
  if (config.databaseUrl !== null) return { kind: 'external', url: config.databaseUrl, stop: async () => undefined };
  const postgres = await startEmbeddedPostgres({
    dataDir: config.dataDir,
    cluster,
    connectionsMax: config.dbPoolMax,
    telemetry,
  });
  return { kind: 'embedded', url: postgres.url, stop: () => postgres.stop() };
}

/** Pools, migrations, and a role and schema for each plugin. */
export async function openDatabase(
  url: string,
  admitted: AdmittedPlugins,
  { config, telemetry }: StorageOptions,
): Promise<Database> {
  const plugins = admitted.plugins.map(({ manifest, folder }) => {
    const rules = admitted.permissions.rulesOf(manifest.name);
    const granted = rules === undefined ? [] : effectiveGrants('db', rules.db);
    return {
      name: manifest.name,
      migrationsDir: join(folder, 'migrations'),
      ...(manifest.limits.connections === undefined ? {} : { connections: manifest.limits.connections }),
      publishes: manifest.permissions.db?.publish ?? [],
      reads: granted.filter((resource) => !resource.startsWith('publish ')),
    };
  });
  const database = await createDatabase({ config, telemetry, url, plugins });
  try {
    const logger = telemetry.logger.child({ component: 'migrations' });
    const core = await migrateCore(database.admin);
    const { migrated, unresolved } = await preparePlugins(database, plugins, { config });
    for (const [scope, files] of [['core', core] as const, ...migrated]) {
      if (files.length > 0) logger.info({ scope, files }, 'Migrated');
    }
    if (config.dbStatisticsIntervalMs > 0 && !(await prepareMonitor(database))) {
      logger.warn({ statement: grantStatement }, 'Statistics of Postgres need a grant that a superuser has to give');
    }
    for (const read of unresolved)
      logger.warn({ ...read }, 'A granted view does not exist yet: its plugin has not started');
    return database;
  } catch (error) {
    await database.stop();
    throw error;
  }
}
