import { AppError } from '#core/errors/app-error.ts';

/** What a plugin's manifest asks for in `limits.connections`. */
export interface ConnectionRequest {
  readonly name: string;
  /** @default 5 */
  readonly connections?: number;
}

export interface ConnectionShares {
  /** The core's own pool: pg-boss, outbox, migrations, readiness. */
  readonly core: number;
  readonly plugins: ReadonlyMap<string, number>;
}

export const pluginConnectionsDefault = 5;
/** Fewer and a plugin that queries beside its open transaction would wait for itself. */
const pluginConnectionsMin = 2;
/** The core keeps at least this, or a fifth of the budget. */
const coreConnectionsMin = 4;

/**
 * Divides DB_POOL_MAX: each plugin gets what it asks for while the sum fits; otherwise all are cut in proportion.
 * What is left is the core's.
 *
 * @throws {AppError} INVALID_CONFIG when not even the minimum of each fits
 */
export function divideConnections(total: number, plugins: readonly ConnectionRequest[]): ConnectionShares {
  const available = total - Math.max(coreConnectionsMin, Math.floor(total / 5));
  const needed = plugins.length * pluginConnectionsMin;
  if (needed > available) {
    const enough = Math.max(needed + coreConnectionsMin, Math.ceil((needed * 5) / 4));
    throw new AppError(
      'INVALID_CONFIG',
      `Cannot divide DB_POOL_MAX: it is ${total}, ${plugins.length} plugins need at least ${enough} (start fewer with PLUGINS, or raise it)`,
    );
  }
  const asked = plugins.map((plugin) => Math.max(pluginConnectionsMin, plugin.connections ?? pluginConnectionsDefault));
  const sum = asked.reduce((total_, connections) => total_ + connections, 0);
  const spare = available - needed;
  const wanted = sum - needed;
  const shares = asked.map((connections) =>
    wanted <= spare
      ? connections
      : pluginConnectionsMin + Math.floor(((connections - pluginConnectionsMin) * spare) / wanted),
  );
  const core = total - shares.reduce((total_, share) => total_ + share, 0);
  return {
    core,
    plugins: new Map(plugins.map((plugin, index) => [plugin.name, shares[index] ?? pluginConnectionsMin])),
  };
}

/** What the server says of itself. */
export interface ServerLimits {
  readonly connectionsMax: number;
  readonly connectionsReserved: number;
}

/** Of a node beside its pools: one that listens, one that reads the server's statistics. */
export const connectionsBeside = 2;

/** @throws {AppError} INVALID_CONFIG when the server cannot give that many */
export function checkConnectionBudget(total: number, server: ServerLimits): void {
  const usable = server.connectionsMax - server.connectionsReserved - connectionsBeside;
  if (total <= usable) return;
  throw new AppError(
    'INVALID_CONFIG',
    `Cannot use DB_POOL_MAX=${total}: the database server gives at most ${usable} ` +
      `(max_connections ${server.connectionsMax}, ${server.connectionsReserved} of them reserved, ${connectionsBeside} for notifications and statistics); lower DB_POOL_MAX or raise max_connections`,
    { details: { dbPoolMax: total, ...server } },
  );
}
