import { createInvalidations, invalidationChannel, type Invalidations } from '#core/cache/invalidation.ts';
import { startMemoryGuard } from '#core/cache/memory-guard.ts';
import type { Config } from '#core/config/settings.ts';
import { createResponseCache, type ResponseCache } from '#core/http/response-cache.ts';
import type { Listener } from '#core/jobs/listener.ts';
import { createQueryCache, type QueryCache } from '#core/plugin-host/capabilities/query-cache.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';

export interface Caches {
  readonly responseCache: ResponseCache;
  readonly queryCache: QueryCache;
  readonly invalidations: Invalidations;
  stop(): void;
}

export interface CachesOptions {
  readonly config: Config;
  readonly telemetry: Telemetry;
  readonly listener: Listener;
}

/** The node's caches of answers and of query results, told of changes by every node on the same database. */
export async function startCaches({ config, telemetry, listener }: CachesOptions): Promise<Caches> {
  const responseCache = createResponseCache(config, telemetry.metrics);
  const queryCache = createQueryCache(config, telemetry.metrics);
  const caches = [responseCache, queryCache];
  const invalidations = createInvalidations({ caches, telemetry });
  // Until the channel is listened to, and whenever it is not, nothing is kept.
  invalidations.lost();
  const stop = await listener.listen(invalidationChannel, {
    onNotification: (payload) => invalidations.receive(payload),
    onReconnect: () => invalidations.opened(),
    onLost: () => invalidations.lost(),
  });
  return { responseCache, queryCache, invalidations, stop };
}

/** Has every cache forget all when the heap is nearly full. @returns how to stop */
export function guardMemory(
  { config, telemetry }: Pick<CachesOptions, 'config' | 'telemetry'>,
  { invalidations }: Pick<Caches, 'invalidations'>,
  objects: { clearCache(): void },
): () => void {
  return startMemoryGuard({
    config,
    telemetry,
    clear() {
      invalidations.clear('memory');
      objects.clearCache();
    },
  });
}
