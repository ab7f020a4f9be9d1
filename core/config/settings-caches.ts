import { integer, ratio } from './setting.ts';
import { thresholds } from './thresholds.ts';

/** Caches: of objects that a plugin keeps, of answers, and of query results. */
export const cacheSettings = {
  cacheEntriesMax: integer('CACHE_ENTRIES_MAX', 500, { description: 'Entries of the object cache', min: 1 }),
  cacheTtlMs: integer('CACHE_TTL_MS', 300_000, { description: 'Life of an entry of the object cache', min: 1 }),
  cacheMaxBytes: integer('CACHE_MAX_BYTES', 33_554_432, {
    description: 'Keys and values of the object cache of one plugin',
    min: 1,
  }),
  cacheValueMaxBytes: integer('CACHE_VALUE_MAX_BYTES', 262_144, { description: 'Largest cached value', min: 1 }),
  responseCacheEntriesMax: integer('RESPONSE_CACHE_ENTRIES_MAX', 500, {
    description: 'Answers of GET routes that are kept',
    min: 1,
    max: 10_000,
  }),
  responseCacheTtlMs: integer('RESPONSE_CACHE_TTL_MS', 300_000, {
    description: 'Longest life of a kept answer',
    min: 1,
  }),
  responseCacheMaxBytes: integer('RESPONSE_CACHE_MAX_BYTES', 33_554_432, {
    description: 'All kept answers together',
    min: 1,
  }),
  queryCacheEntriesMax: integer('QUERY_CACHE_ENTRIES_MAX', 100, {
    description: 'Query results that are kept',
    min: 1,
    max: 10_000,
  }),
  queryCacheTtlMs: integer('QUERY_CACHE_TTL_MS', 120_000, {
    description: 'Longest life of a kept query result',
    min: 1,
  }),
  queryCacheMaxBytes: integer('QUERY_CACHE_MAX_BYTES', 16_777_216, {
    description: 'All kept query results together',
    min: 1,
  }),
  cachePressureCheckMs: integer('CACHE_PRESSURE_CHECK_MS', 60_000, {
    description: 'How often the heap is looked at, to clear the caches when it is nearly full',
    min: 10,
    max: 86_400_000,
  }),
  cachePressureHeapRatio: ratio(
    'CACHE_PRESSURE_HEAP_RATIO',
    thresholds.heap.value,
    'Share of the committed heap in use above which the caches are cleared',
  ),
  cachePressureLimitRatio: ratio(
    'CACHE_PRESSURE_LIMIT_RATIO',
    thresholds.heapOfLimit.value,
    'and the share of the largest heap that must be in use as well',
  ),
  cachePressureMinBytes: integer('CACHE_PRESSURE_MIN_BYTES', thresholds.heapBytes.value, {
    description: 'and the least heap in use',
  }),
} as const;
