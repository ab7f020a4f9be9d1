import type { QueryCacheOptions, QueryResult, SqlValue, Statement } from '#plugin-api';
import { createEventCache, type EventCache } from '#core/cache/event-cache.ts';
import type { CacheRule } from '#core/cache/event-match.ts';
import type { Config } from '#core/config/settings.ts';
import type { CappedResult } from '#core/database/capped-query.ts';
import type { Metrics } from '#core/telemetry/metrics.ts';

/** Results of plugins' queries. They go into frames as they are, so nobody can change them. */
export type QueryCache = EventCache<QueryResult<unknown>>;

export function createQueryCache(config: Config, metrics: Metrics): QueryCache {
  return createEventCache({
    name: 'query',
    entriesMax: config.queryCacheEntriesMax,
    ttlMs: config.queryCacheTtlMs,
    maxBytes: config.queryCacheMaxBytes,
    valueMaxBytes: config.cacheValueMaxBytes,
    metrics,
  });
}

export interface CachedQuery {
  readonly plugin: string;
  readonly statement: Statement;
  readonly values: readonly SqlValue[];
  readonly cache: QueryCacheOptions;
}

export function toResult({ rows, rowCount }: CappedResult): QueryResult<unknown> {
  return { rows, rowCount };
}

/** A plugin's schema and role decide what a statement sees, so the plugin is part of the key; a principal is among the values or nowhere. */
export async function queryCached(
  queries: QueryCache,
  { plugin, statement, values, cache }: CachedQuery,
  run: () => Promise<CappedResult>,
): Promise<QueryResult<unknown>> {
  const key = JSON.stringify([plugin, statement.text, values]);
  const kept = queries.get(key, plugin);
  if (kept !== undefined) return kept;
  const fill = queries.fill(key, { plugin, rule: toRule(cache) });
  try {
    const result = await run();
    const value = toResult(result);
    // What wrote something must run again the next time.
    if (result.command === 'SELECT') fill.store({ value, bytes: sizeOf(result), ttlMs: cache.ttlMs });
    return value;
  } finally {
    fill.end();
  }
}

function toRule({ invalidatedBy, keyedBy = {} }: QueryCacheOptions): CacheRule {
  const [key] = Object.entries(keyedBy);
  return key === undefined ? { invalidatedBy } : { invalidatedBy, key: { field: key[0], value: key[1] } };
}

/** Of the values as Postgres sent them, and the names of the columns in each row. */
function sizeOf({ rows, bytes, keysBytes }: CappedResult): number {
  return bytes + rows.length * keysBytes;
}
