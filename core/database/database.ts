import * as pg from 'pg';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import {
  checkConnectionBudget,
  divideConnections,
  type ConnectionRequest,
  type ServerLimits,
} from './connection-budget.ts';
import { derivePluginSecret, toPluginUrl } from './database-url.ts';
import { Pool, toUnreachable } from './pool.ts';
import { pluginTypes } from './type-parsers.ts';

/** The oldest Postgres that is tested. */
const serverVersionMin = 15;
/** For the first connection only: a wrong address must be told at once, not after the acquire time-out. */
const probeTimeoutMs = 5000;
const stopGraceMs = 5000;

/** A plugin's own connections, as its own role: what they may do is decided by Postgres. */
export interface PluginPool {
  readonly plugin: string;
  /** Its share of the budget. */
  readonly max: number;
  /** Destroy a connection whose state is in doubt by `client.release(true)`. */
  connect(): Promise<pg.PoolClient>;
  readonly state: { readonly used: number; readonly idle: number; readonly pending: number };
}

export interface Database {
  readonly url: string;
  readonly server: ServerLimits & { readonly version: number };
  /** The core's own pool, as the role of DATABASE_URL. `admin.max` is its share of the budget. */
  readonly admin: Pool;
  /** @throws {AppError} PLUGIN_UNKNOWN when it was not named at the start */
  pluginPool(plugin: string): PluginPool;
  /**
   * Proves to a `security definer` function of schema `returnit` that the core calls it, on a connection of the plugin:
   * plugins may execute those functions too, but do not know the token. Pass it as a parameter, never in the text.
   */
  pluginToken(plugin: string): string;
  /** Idempotent. */
  stop(): Promise<void>;
}

export interface DatabaseOptions {
  readonly config: Config;
  readonly telemetry: Telemetry;
  readonly url: string;
  /** The plugins among which DB_POOL_MAX is divided. @default [] */
  readonly plugins?: readonly ConnectionRequest[];
}

/** @throws {AppError} DATABASE_UNREACHABLE, INVALID_CONFIG */
export async function createDatabase(options: DatabaseOptions): Promise<Database> {
  const { config, telemetry, url } = options;
  const shares = divideConnections(config.dbPoolMax, options.plugins ?? []);
  const server = await probeServer(url);
  checkConnectionBudget(config.dbPoolMax, server);
  const poolOptions = { idleTimeoutMs: config.dbIdleTimeoutMs, acquireTimeoutMs: config.dbAcquireTimeoutMs, telemetry };
  const min = Math.min(config.dbPoolMin, shares.core);
  const admin = new Pool({ ...poolOptions, name: 'core', url, max: shares.core, min });
  await admin.warm(min);
  const pluginPools = new Map<string, Pool & PluginPool>();
  for (const [plugin, max] of shares.plugins) {
    const pool = new Pool({ ...poolOptions, name: plugin, url: toPluginUrl(url, plugin), max, types: pluginTypes });
    pluginPools.set(plugin, Object.assign(pool, { plugin }));
  }
  return {
    url,
    server,
    admin,
    pluginPool(plugin) {
      const pool = pluginPools.get(plugin);
      if (pool === undefined)
        throw new AppError('PLUGIN_UNKNOWN', `Cannot use the database as plugin "${plugin}": it was not started`);
      return pool;
    },
    pluginToken: (plugin) => derivePluginSecret(url, 'token', plugin),
    async stop() {
      await Promise.all([admin, ...pluginPools.values()].map((pool) => pool.stop(stopGraceMs)));
    },
  };
}

async function probeServer(url: string): Promise<ServerLimits & { readonly version: number }> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: probeTimeoutMs,
    application_name: 'returnit probe',
  });
  client.on('error', () => {
    // The query or connect() that is under way rejects with the same error.
  });
  try {
    await client.connect();
    const result = await client.query<{ name: string; setting: string }>({
      text: `select name, setting from pg_catalog.pg_settings
        where name in ('server_version_num', 'max_connections', 'superuser_reserved_connections', 'reserved_connections')`,
    });
    const settings = new Map(result.rows.map((row) => [row.name, Number(row.setting)]));
    const version = Math.floor((settings.get('server_version_num') ?? 0) / 10_000);
    if (version < serverVersionMin) {
      throw new AppError(
        'INVALID_CONFIG',
        `Cannot use the database of DATABASE_URL: it is Postgres ${version}, it must be ${serverVersionMin} or newer`,
      );
    }
    return {
      version,
      connectionsMax: settings.get('max_connections') ?? 0,
      connectionsReserved:
        (settings.get('superuser_reserved_connections') ?? 0) + (settings.get('reserved_connections') ?? 0),
    };
  } catch (error) {
    throw error instanceof AppError ? error : toUnreachable(url, error);
  } finally {
    await client.end().catch(() => {
      // It never connected: there is nothing to end.
    });
  }
}
