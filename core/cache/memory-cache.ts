import { LRUCache } from 'lru-cache';
import { AppError } from '#core/errors/app-error.ts';
import type { Metrics } from '#core/telemetry/metrics.ts';
import { createEvictions } from './evictions.ts';

export interface MemoryCacheOptions {
  /** Labels of its metrics. */
  readonly labels: { readonly cache: string; readonly plugin: string };
  readonly entriesMax: number;
  readonly ttlMs: number;
  /** Of all keys and values together. */
  readonly maxBytes: number;
  readonly valueMaxBytes: number;
  readonly metrics: Metrics;
}

export interface MemoryCache {
  get(key: string): string | undefined;
  /** `ttlMs` may shorten the cache's own, never lengthen it. @throws {AppError} INVALID_CALL for a value that is too large */
  set(key: string, value: string, ttlMs?: number): void;
  delete(key: string): void;
  clear(): void;
}

/** A bounded cache of JSON text: what one caller got can then not be changed under another's hands. */
export function createMemoryCache(options: MemoryCacheOptions): MemoryCache {
  const { labels, metrics, valueMaxBytes } = options;
  const requests = metrics.counter('returnit_cache_requests_total');
  const evictions = createEvictions(metrics);
  evictions.beginAtZero(labels);
  const cache = new LRUCache<string, string>({
    max: options.entriesMax,
    maxSize: options.maxBytes,
    ttl: options.ttlMs,
    dispose(_value, _key, reason) {
      evictions.gone(labels, reason);
    },
  });
  const entries = metrics.gauge('returnit_cache_entries');
  const size = metrics.gauge('returnit_cache_size_bytes');
  metrics.gauge('returnit_cache_entries_max').set(labels, options.entriesMax);
  metrics.gauge('returnit_cache_max_bytes').set(labels, options.maxBytes);
  metrics.onCollect(() => {
    entries.set(labels, cache.size);
    size.set(labels, cache.calculatedSize);
  });
  return {
    get(key) {
      const value = cache.get(key);
      requests.inc({ ...labels, result: value === undefined ? 'miss' : 'hit' });
      return value;
    },
    set(key, value, ttlMs = options.ttlMs) {
      const bytes = Buffer.byteLength(value);
      if (bytes > valueMaxBytes) {
        throw new AppError(
          'INVALID_CALL',
          `Cannot cache "${key.slice(0, 80)}": it has ${bytes} bytes, at most ${valueMaxBytes} are kept`,
        );
      }
      cache.set(key, value, { ttl: Math.min(ttlMs, options.ttlMs), size: bytes + Buffer.byteLength(key) });
    },
    delete: (key) => void cache.delete(key),
    clear: () => cache.clear(),
  };
}
