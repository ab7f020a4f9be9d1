import { thresholds as t } from '#core/config/thresholds.ts';
import type { Alert } from './alert.ts';
import { counterCases, gaugeCases } from './cases.ts';

const pool = 'job="returnit",instance="a",db_client_connection_pool_name="orders"';
const labels = { job: 'returnit', instance: 'a', db_client_connection_pool_name: 'orders' };
const connections = (used: string, pending: string, gaveUp = '0x60') => ({
  [`db_client_connections{${pool},db_client_connection_state="used"}`]: used,
  [`db_client_connections{${pool},db_client_connection_state="idle"}`]: '0x60',
  [`db_client_connection_max{${pool}}`]: '10x60',
  [`db_client_connection_pending_requests{${pool}}`]: pending,
  [`db_client_connection_timeouts_total{${pool}}`]: gaveUp,
});
const exhausted = [
  {
    labels: { ...labels, service: 'orders' },
    description: 'All connections of orders on a are in use, and others wait or have given up (value 1).',
  },
];
const readings = (failed: string, read: string) => ({
  'returnit_postgres_reads_total{job="returnit",instance="a",reading="tables",outcome="error"}': failed,
  'returnit_postgres_reads_total{job="returnit",instance="b",reading="tables",outcome="ok"}': read,
  // Of nodes that never read.
  'returnit_postgres_reads_total{job="returnit",instance="c",reading="tables",outcome="error"}': '0x60',
  'returnit_postgres_reads_total{job="returnit",instance="c",reading="locks",outcome="ok"}': '0x60',
});
const operation = 'job="returnit",instance="a",plugin="orders",db_query_summary="find_order"';

export const database: readonly Alert[] = [
  {
    name: 'DatabaseDown',
    expr: 'returnit_db_up == 0',
    for: '1m',
    severity: 'critical',
    type: 'symptom',
    plugin: 'core',
    summary: 'A node does not reach its database',
    description: '{{ $labels.instance }} gets no answer of Postgres (returnit_db_up is {{ $value }}).',
    cases: gaugeCases({
      samples: (values) => ({ 'returnit_db_up{job="returnit",instance="a"}': values }),
      fires: [
        {
          labels: { job: 'returnit', instance: 'a' },
          description: 'a gets no answer of Postgres (returnit_db_up is 0).',
        },
      ],
      high: 0,
      low: 1,
      limit: 1,
      for: 1,
    }),
  },
  {
    name: 'QueriesSlow',
    expr: `plugin:db_client_operation_duration_seconds:mean5m > ${t.queryMean.value}
and sum by (job, plugin) (increase(db_client_operation_duration_seconds_count[5m])) >= ${t.samples.value}`,
    for: '1m',
    severity: 'warning',
    type: 'symptom',
    plugin: '{{ $labels.plugin }}',
    summary: `Statements of a plugin take more than ${t.queryMean.value * 1000} ms on average`,
    description: 'Statements of {{ $labels.plugin }} take {{ $value | humanizeDuration }} on average.',
    cases: counterCases({
      samples: (faulty) => ({
        [`db_client_operation_duration_seconds_sum{${operation}}`]: faulty(60),
        [`db_client_operation_duration_seconds_count{${operation}}`]: '0+64x60',
        // One that takes long is no average.
        'db_client_operation_duration_seconds_sum{job="returnit",plugin="webhooks",db_query_summary="prune"}': '0+9x60',
        'db_client_operation_duration_seconds_count{job="returnit",plugin="webhooks",db_query_summary="prune"}':
          '0+1x60',
      }),
      fires: [
        {
          labels: { job: 'returnit', plugin: 'orders', service: 'orders' },
          description: 'Statements of orders take 2s on average.',
        },
      ],
      high: 128,
      low: 1,
      limit: 32,
      window: 5,
      for: 1,
    }),
  },
  {
    name: 'QueriesTailSlow',
    expr: `histogram_quantile(0.99, sum by (job, plugin, le) (rate(db_client_operation_duration_seconds_bucket[5m]))) > ${t.queryTail.value}
and sum by (job, plugin) (increase(db_client_operation_duration_seconds_count[5m])) >= ${t.tailSamples.value}`,
    for: '10m',
    severity: 'info',
    type: 'cause',
    plugin: '{{ $labels.plugin }}',
    summary: `One in a hundred statements of a plugin takes more than ${t.queryTail.value * 1000} ms`,
    description: 'One in a hundred statements of {{ $labels.plugin }} takes {{ $value | humanizeDuration }} or more.',
    cases: counterCases({
      samples: (faulty) => ({
        [`db_client_operation_duration_seconds_bucket{${operation},le="0.1"}`]: '0+970x60',
        [`db_client_operation_duration_seconds_bucket{${operation},le="0.5"}`]: '0+990x60',
        [`db_client_operation_duration_seconds_bucket{${operation},le="1"}`]: faulty(60),
        [`db_client_operation_duration_seconds_bucket{${operation},le="+Inf"}`]: faulty(60),
        [`db_client_operation_duration_seconds_count{${operation}}`]: faulty(60),
        // Of fewer than a hundred in five minutes one in a hundred is any.
        'db_client_operation_duration_seconds_bucket{job="returnit",plugin="webhooks",le="0.5"}': '0x60',
        'db_client_operation_duration_seconds_bucket{job="returnit",plugin="webhooks",le="1"}': '0+19x60',
        'db_client_operation_duration_seconds_bucket{job="returnit",plugin="webhooks",le="+Inf"}': '0+19x60',
        'db_client_operation_duration_seconds_count{job="returnit",plugin="webhooks"}': '0+19x60',
      }),
      fires: [
        {
          labels: { job: 'returnit', plugin: 'orders', service: 'orders' },
          description: 'One in a hundred statements of orders takes 896ms or more.',
        },
      ],
      high: 1040,
      low: 990,
      limit: 1000,
      window: 5,
      for: 10,
    }),
  },
  {
    name: 'PoolSaturated',
    expr: `instance:db_client_connections:utilization_ratio > ${t.pool.value}`,
    for: '5m',
    severity: 'warning',
    type: 'cause',
    plugin: '{{ $labels.db_client_connection_pool_name }}',
    summary: 'A pool of connections is nearly used up',
    description:
      '{{ $value | humanizePercentage }} of the connections of {{ $labels.db_client_connection_pool_name }} on {{ $labels.instance }} are in use.',
    cases: gaugeCases({
      samples: (values) => connections(values, '0x60'),
      fires: [
        { labels: { ...labels, service: 'orders' }, description: '90% of the connections of orders on a are in use.' },
      ],
      high: 9,
      low: 2,
      limit: 8,
      for: 5,
    }),
  },
  {
    name: 'PoolWaiting',
    expr: `histogram_quantile(0.95, rate(db_client_connection_wait_time_seconds_bucket[5m])) > ${t.poolWait.value}`,
    for: '5m',
    severity: 'warning',
    type: 'symptom',
    plugin: '{{ $labels.db_client_connection_pool_name }}',
    summary: 'Statements wait for a connection',
    description:
      'One in twenty waits {{ $value | humanizeDuration }} or more for a connection of {{ $labels.db_client_connection_pool_name }} on {{ $labels.instance }}.',
    cases: counterCases({
      samples: (faulty) => ({
        [`db_client_connection_wait_time_seconds_bucket{${pool},le="0.1"}`]: '0+95x60',
        [`db_client_connection_wait_time_seconds_bucket{${pool},le="0.5"}`]: faulty(60),
        [`db_client_connection_wait_time_seconds_bucket{${pool},le="+Inf"}`]: faulty(60),
      }),
      fires: [
        {
          labels: { ...labels, service: 'orders' },
          description: 'One in twenty waits 478.9ms or more for a connection of orders on a.',
        },
      ],
      high: 1900,
      low: 95,
      limit: 100,
      window: 5,
      for: 5,
    }),
  },
  {
    name: 'PoolExhausted',
    expr: `(instance:db_client_connections:utilization_ratio >= 1 and min_over_time(db_client_connection_pending_requests[1m]) > 0)
or increase(db_client_connection_timeouts_total[5m]) > 0`,
    for: '1m',
    severity: 'critical',
    type: 'symptom',
    plugin: '{{ $labels.db_client_connection_pool_name }}',
    summary: 'A pool of connections is used up, and others wait',
    description:
      'All connections of {{ $labels.db_client_connection_pool_name }} on {{ $labels.instance }} are in use, and others wait or have given up (value {{ $value | humanize }}).',
    cases: [
      {
        of: 'waiting',
        fires: { samples: connections('2 10x10', '0 3x10'), at: '5m', alerts: exhausted },
        quiet: { samples: connections('9x20', '0x20'), at: '15m' },
        // All in use, and nobody waits.
        boundary: { samples: connections('10x20', '0x20'), at: '15m' },
        resolves: { samples: connections('10x6 2x20', '3x6 0x20'), firesAt: '5m', at: '9m' },
      },
      {
        of: 'giving up',
        // One, after 4 minutes.
        fires: { samples: connections('2x20', '0x20', '0x3 1x20'), at: '6m', alerts: exhausted },
        // Before anybody looked.
        quiet: { samples: connections('2x20', '0x20', '3x20'), at: '15m' },
        boundary: { samples: connections('2x20', '0x20', '0x3 1x20'), at: '4m30s' },
        resolves: { samples: connections('2x20', '0x20', '0x3 1x20'), firesAt: '6m', at: '11m' },
      },
    ],
  },
  {
    name: 'StatisticsFailing',
    expr: `sum by (job, reading) (increase(returnit_postgres_reads_total{outcome="error"}[5m])) > 0
unless sum by (job, reading) (increase(returnit_postgres_reads_total{outcome="ok"}[5m])) > 0`,
    for: '5m',
    severity: 'warning',
    type: 'cause',
    plugin: 'core',
    summary: 'What Postgres says of itself is not read',
    description: '{{ $labels.reading }} failed {{ $value | humanize }} times in 5 minutes, and was never read.',
    cases: {
      fires: {
        samples: readings('0+4x60', '0x60'),
        at: '12m',
        alerts: [
          {
            labels: { job: 'returnit', reading: 'tables' },
            description: 'tables failed 20 times in 5 minutes, and was never read.',
          },
        ],
      },
      quiet: { samples: readings('0x60', '0+4x60'), at: '20m' },
      // Another node reads, or it is locked now and then.
      boundary: { samples: readings('0+4x60', '0+1x60'), at: '20m' },
      resolves: { samples: readings('0+4x14 56x40', '0x14 4+4x40'), firesAt: '12m', at: '17m' },
    },
  },
];
