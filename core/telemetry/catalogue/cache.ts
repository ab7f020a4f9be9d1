import type { MetricDefinition } from './definition.ts';

export const cacheMetrics: readonly MetricDefinition[] = [
  {
    name: 'returnit_cache_requests_total',
    type: 'counter',
    help: 'Look-ups, by result (hit, miss)',
    unit: 'requests',
    labels: ['cache', 'plugin', 'result'],
    partition: 'plugin',
    owner: 'cache',
  },
  {
    name: 'returnit_cache_evictions_total',
    type: 'counter',
    help: 'Entries removed, by reason (evict, expire)',
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
];
