import { thresholds as t } from '#core/config/thresholds.ts';
import type { Alert, Samples } from './alert.ts';
import { counterCases, gaugeCases } from './cases.ts';

interface Capacity {
  readonly name: string;
  /** In the unit of the target. */
  readonly expr: string;
  readonly target: (typeof t)[keyof typeof t];
  readonly summary: string;
  readonly cases: (description: string) => Alert['cases'];
}

const labels = { job: 'returnit' };

const perMinute = (series: readonly string[], target: number) => (description: string) =>
  counterCases({
    samples: (faulty): Samples => Object.fromEntries(series.map((name) => [name, faulty(60)])),
    fires: [{ labels, description }],
    high: (target * 0.9) / series.length,
    low: (target * 0.1) / series.length,
    limit: (target * t.capacity.value) / series.length,
    window: 5,
    for: 10,
  });

const capacities: readonly Capacity[] = [
  {
    name: 'CapacityUsers',
    // Who asks two nodes counts twice: it errs to the side of telling.
    expr: 'sum by (job) (returnit_http_active_users)',
    target: t.users,
    summary: 'Users at the same time come near to what the platform is laid out for',
    cases: (description) =>
      gaugeCases({
        samples: (values) => ({
          'returnit_http_active_users{job="returnit",instance="a"}': values,
          'returnit_http_active_users{job="returnit",instance="b"}': '100x60',
        }),
        fires: [{ labels, description }],
        high: 800,
        low: 100,
        limit: 700,
        for: 10,
      }),
  },
  {
    name: 'CapacityRequests',
    expr: '60 * sum by (job) (rate(http_server_request_duration_seconds_count[5m]))',
    target: t.requestsPerMinute,
    summary: 'Requests come near to what the platform is laid out for',
    cases: perMinute(
      ['a', 'b'].map((instance) => `http_server_request_duration_seconds_count{job="returnit",instance="${instance}"}`),
      t.requestsPerMinute.value,
    ),
  },
  {
    name: 'CapacityLive',
    expr: 'sum by (job) (returnit_live_connections{transport=~"ws|sse"})',
    target: t.liveConnections,
    summary: 'Live connections come near to what the platform is laid out for',
    cases: (description) =>
      gaugeCases({
        samples: (values) => ({
          'returnit_live_connections{job="returnit",instance="a",transport="ws"}': values,
          'returnit_live_connections{job="returnit",instance="a",transport="sse"}': '50x60',
          // Devices are no viewers.
          'returnit_live_connections{job="returnit",instance="a",transport="mqtt"}': '5000x60',
        }),
        fires: [{ labels, description }],
        high: 400,
        low: 50,
        limit: 350,
        for: 10,
      }),
  },
  {
    name: 'CapacityQueries',
    expr: 'sum by (job) (rate(db_client_operation_duration_seconds_count[5m]))',
    target: t.queriesPerSecond,
    summary: 'Statements come near to what the platform is laid out for',
    cases: perMinute(
      ['orders', 'drivers'].map(
        (plugin) => `db_client_operation_duration_seconds_count{job="returnit",plugin="${plugin}"}`,
      ),
      60 * t.queriesPerSecond.value,
    ),
  },
];

/** What there is to grow into. */
export const capacity: readonly Alert[] = capacities.map(({ name, expr, target, summary, cases }) => ({
  name,
  runbook: 'Capacity',
  expr: `${expr} / ${target.value} > ${t.capacity.value}`,
  for: '10m',
  severity: 'warning',
  type: 'cause',
  plugin: 'core',
  summary,
  description: `{{ $value | humanizePercentage }} of ${target.value} ${target.unit}.`,
  cases: cases(`90% of ${target.value} ${target.unit}.`),
}));
