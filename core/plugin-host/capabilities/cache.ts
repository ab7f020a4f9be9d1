import { Type } from 'typebox';
import type { Config } from '#core/config/settings.ts';
import { createMemoryCache, type MemoryCache } from '#core/cache/memory-cache.ts';
import type { Metrics } from '#core/telemetry/metrics.ts';
import { method, type Capability } from '../capability.ts';

const Key = Type.String({ minLength: 1, maxLength: 200 });
const GetArgs = Type.Object({ key: Key }, { additionalProperties: false });
const SetArgs = Type.Object(
  { key: Key, value: Type.Unknown(), ttlMs: Type.Optional(Type.Integer({ minimum: 1 })) },
  { additionalProperties: false },
);

export interface CacheCapability extends Capability {
  /** Of all plugins. */
  clear(): void;
}

/** A cache of its own for each plugin: none can read, or crowd out, another's entries. It outlives the plugin's process. */
export function createCacheCapability(options: {
  readonly config: Config;
  readonly metrics: Metrics;
}): CacheCapability {
  const { config, metrics } = options;
  const caches = new Map<string, MemoryCache>();
  const cacheOf = (plugin: string): MemoryCache =>
    caches.getOrInsertComputed(plugin, () =>
      createMemoryCache({
        labels: { cache: 'object', plugin },
        entriesMax: config.cacheEntriesMax,
        ttlMs: config.cacheTtlMs,
        maxBytes: config.cacheMaxBytes,
        valueMaxBytes: config.cacheValueMaxBytes,
        metrics,
      }),
    );
  return {
    name: 'cache',
    clear() {
      for (const cache of caches.values()) cache.clear();
    },
    methods: {
      get: method<{ key: string }>({
        args: GetArgs,
        immediate: true,
        run({ key }, { instance }) {
          const text = cacheOf(instance.plugin.name).get(key);
          return text === undefined ? {} : { value: JSON.parse(text) as unknown };
        },
      }),
      set: method<{ key: string; value?: unknown; ttlMs?: number }>({
        args: SetArgs,
        immediate: true,
        run({ key, value, ttlMs }, { instance }) {
          cacheOf(instance.plugin.name).set(key, JSON.stringify(value ?? null), ttlMs);
          return null;
        },
      }),
      delete: method<{ key: string }>({
        args: GetArgs,
        immediate: true,
        run({ key }, { instance }) {
          cacheOf(instance.plugin.name).delete(key);
          return null;
        },
      }),
    },
  };
}
