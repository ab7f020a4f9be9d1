import { LRUCache } from 'lru-cache';
import type { Counter, Metrics } from '#core/telemetry/metrics.ts';
import { createEvictions, type Evictions } from './evictions.ts';
import { isInvalidatedBy, type CacheEvent, type CacheRule } from './event-match.ts';

export interface EventCacheOptions {
  /** Its label in metrics: `response`, `query`. */
  readonly name: string;
  readonly entriesMax: number;
  readonly ttlMs: number;
  /** Of all keys and values together. */
  readonly maxBytes: number;
  readonly valueMaxBytes: number;
  readonly metrics: Metrics;
}

/** Whose entry it is, and when it is no longer true. */
export interface CacheSubject {
  /** In metrics. */
  readonly plugin: string;
  readonly rule: CacheRule;
}

export interface StoredValue<Value> {
  readonly value: Value;
  readonly bytes: number;
  /** Shorter than the cache's own, never longer. @default the cache's */
  readonly ttlMs?: number | undefined;
}

/** A value that is being read. An event that comes meanwhile may have changed what was read already: then it is not kept. */
export interface CacheFill<Value> {
  /** Keeps the value, unless it is too large, or not true any more. */
  store(stored: StoredValue<Value>): void;
  /** To be called in any case. */
  end(): void;
}

export interface EventCache<Value> {
  get(key: string, plugin: string): Value | undefined;
  /** To be called before anything is read for the value. */
  fill(key: string, subject: CacheSubject): CacheFill<Value>;
  /** @returns how many entries were removed */
  invalidate(event: CacheEvent): number;
  clear(): void;
  /** While nobody would hear of a change, nothing is kept and nothing answered. */
  setOpen(isOpen: boolean): void;
}

interface Entry<Value> extends CacheSubject {
  readonly value: Value;
  /** Of key and value. */
  readonly bytes: number;
}

interface OpenFill {
  readonly rule: CacheRule;
  isStale: boolean;
}

/** What one plugin's readers found. */
type RequestCounts = Readonly<Record<'hit' | 'miss' | 'bypass', ReturnType<Counter['with']>>>;

/**
 * Least recently used first out, bounded in entries, bytes and time, and emptied by events.
 *
 * Invariant: nothing is kept that was read before an event of its rule was heard. Reading takes time, so whoever reads
 * says so before (`fill`), and an event marks what is being read as well as what is kept. There are few entries: all are
 * looked at for each event, which an index would only make quicker for caches much larger than these.
 */
export function createEventCache<Value extends object>(options: EventCacheOptions): EventCache<Value> {
  const { name: cache, metrics } = options;
  const evictions = createEvictions(metrics);
  const removed = metrics.counter('returnit_cache_invalidated_entries_total');
  const entries = new LRUCache<string, Entry<Value>>({
    max: options.entriesMax,
    maxSize: options.maxBytes,
    ttl: options.ttlMs,
    dispose({ plugin }, _key, reason) {
      evictions.gone({ cache, plugin }, reason);
    },
  });
  const fills = new Set<OpenFill>();
  const plugins = new Map<string, RequestCounts>();
  const countsOf = createRequestCounts(options, { plugins, evictions });
  let isOpen = true;

  reportEntries(options, entries, plugins);

  function clear(): void {
    entries.clear();
    for (const open of fills) open.isStale = true;
  }

  return {
    get(key, plugin) {
      const value = isOpen ? entries.get(key)?.value : undefined;
      countsOf(plugin)[value !== undefined ? 'hit' : isOpen ? 'miss' : 'bypass'].inc();
      return value;
    },
    fill(key, { plugin, rule }) {
      const open: OpenFill = { rule, isStale: !isOpen };
      fills.add(open);
      return {
        store({ value, bytes, ttlMs = options.ttlMs }) {
          if (open.isStale || bytes > options.valueMaxBytes) return;
          const size = bytes + Buffer.byteLength(key);
          entries.set(key, { value, bytes: size, plugin, rule }, { size, ttl: Math.min(ttlMs, options.ttlMs) });
        },
        end: () => void fills.delete(open),
      };
    },
    invalidate(event) {
      let count = 0;
      for (const open of fills) if (isInvalidatedBy(open.rule, event)) open.isStale = true;
      // A copy: the list is not to be changed while it is walked.
      for (const [key, { plugin, rule }] of Array.from(entries.entries())) {
        if (!isInvalidatedBy(rule, event)) continue;
        entries.delete(key);
        removed.inc({ cache, plugin });
        count += 1;
      }
      return count;
    },
    clear,
    setOpen(open) {
      isOpen = open;
      clear();
    },
  };
}

function createRequestCounts(
  { name: cache, metrics }: EventCacheOptions,
  { plugins, evictions }: { readonly plugins: Map<string, RequestCounts>; readonly evictions: Evictions },
): (plugin: string) => RequestCounts {
  const requests = metrics.counter('returnit_cache_requests_total');
  const create = (plugin: string): RequestCounts => {
    evictions.beginAtZero({ cache, plugin });
    return {
      hit: requests.with({ cache, plugin, result: 'hit' }),
      miss: requests.with({ cache, plugin, result: 'miss' }),
      bypass: requests.with({ cache, plugin, result: 'bypass' }),
    };
  };
  return (plugin) => plugins.getOrInsertComputed(plugin, create);
}

/** Every plugin that was ever seen, so that a gauge falls to 0. */
function reportEntries(
  { name: cache, entriesMax, maxBytes, metrics }: EventCacheOptions,
  entries: { values(): Iterable<Pick<Entry<unknown>, 'plugin' | 'bytes'>> },
  plugins: ReadonlyMap<string, unknown>,
): void {
  metrics.gauge('returnit_cache_entries_max').set({ cache, plugin: 'core' }, entriesMax);
  metrics.gauge('returnit_cache_max_bytes').set({ cache, plugin: 'core' }, maxBytes);
  metrics.onCollect(() => {
    const kept = new Map([...plugins.keys()].map((plugin) => [plugin, { count: 0, bytes: 0 }]));
    for (const { plugin, bytes } of entries.values()) {
      const sum = kept.getOrInsertComputed(plugin, () => ({ count: 0, bytes: 0 }));
      sum.count += 1;
      sum.bytes += bytes;
    }
    for (const [plugin, { count, bytes }] of kept) {
      metrics.gauge('returnit_cache_entries').set({ cache, plugin }, count);
      metrics.gauge('returnit_cache_size_bytes').set({ cache, plugin }, bytes);
    }
  });
}
