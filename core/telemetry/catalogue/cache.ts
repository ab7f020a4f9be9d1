import type { MetricDefinition } from './definition.ts';

export const cacheMetrics: readonly MetricDefinition[] = [
  {
    name: 'returnit_cache_requests_total',
    type: 'counter',
    help: 'Look-ups, by result (hit, miss, stale, error)',
    unit: 'requests',
    labels: ['cache', 'plugin', 'result'],
    partition: 'plugin',
    owner: 'cache',
  },
  {
    name: 'returnit_cache_evictions_total',
    type: 'counter',
    help: 'Entries removed, by reason (size, ttl, deleted, cleared)',
    unit: 'entries',
    labels: ['cache', 'plugin', 'reason'],
    partition: 'plugin',
    owner: 'cache',
  },
  {
    name: 'returnit_cache_entries',
    type: 'gauge',
    help: 'Entries kept',
    unit: 'entries',
    labels: ['cache', 'plugin'],
    owner: 'cache',
  },
  {
    name: 'returnit_cache_entries_max',
    type: 'gauge',
    help: 'Entries that may be kept',
    unit: 'entries',
    labels: ['cache', 'plugin'],
    owner: 'cache',
  },
  {
    name: 'returnit_cache_size_bytes',
    type: 'gauge',
    help: 'Size of the entries kept',
    unit: 'bytes',
    labels: ['cache', 'plugin'],
    owner: 'cache',
  },
  {
    name: 'returnit_cache_max_bytes',
    type: 'gauge',
    help: 'Size that the entries may have',
    unit: 'bytes',
    labels: ['cache', 'plugin'],
    owner: 'cache',
  },
];
