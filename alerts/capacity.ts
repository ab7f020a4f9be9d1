import { thresholds as t } from '#core/config/thresholds.ts';
import type { Alert, AlertCases, Samples } from './alert.ts';
import { counterCases, gaugeCases } from './cases.ts';

/** Shares of the target. */
interface Shares {
  readonly high: number;
  readonly low: number;
  readonly limit: number;
}

interface Capacity {
  readonly name: string;
  /** In the unit of the target. */
  readonly expr: string;
  readonly target: (typeof t)[keyof typeof t];
  /** What comes near to it, in the plural. */
  readonly what: string;
  readonly cases: (shares: Shares, description: string) => AlertCases;
}

const labels = { job: 'returnit' };
const minutes = 10;

/** Of counters that grow alike. */
const rateCases =
  (series: readonly string[], target: number) =>
  (shares: Shares, description: string): AlertCases =>
    counterCases({
      samples: (faulty): Samples => Object.fromEntries(series.map((name) => [name, faulty(60)])),
      fires: [{ labels, description }],
      high: (target * shares.high) / series.length,
      low: (target * shares.low) / series.length,
      limit: (target * shares.limit) / series.length,
      window: 5,
      for: minutes,
    });

/** Of a gauge, beside others that say `rest` together. */
const countCases =
  (samples: (values: string) => Samples, { target, rest }: { readonly target: number; readonly rest: number }) =>
  (shares: Shares, description: string): AlertCases =>
    gaugeCases({
      samples,
      fires: [{ labels, description }],
      high: Math.round(target * shares.high) - rest,
      low: Math.round(target * shares.low) - rest,
      limit: Math.round(target * shares.limit) - rest,
      for: minutes,
    });

const capacities: readonly Capacity[] = [
  {
    name: 'CapacityUsers',
    // Who asks two nodes counts twice: it errs to the side of telling.
    expr: 'sum by (job) (returnit_http_active_users)',
    target: t.users,
    what: 'Users at the same time',
    cases: countCases(
      (values) => ({
        'returnit_http_active_users{job="returnit",instance="a"}': values,
        'returnit_http_active_users{job="returnit",instance="b"}': '100x60',
      }),
      { target: t.users.value, rest: 100 },
    ),
  },
  {
    name: 'CapacityRequests',
    expr: '60 * sum by (job) (rate(http_server_request_duration_seconds_count[5m]))',
    target: t.requestsPerMinute,
    what: 'Requests',
    cases: rateCases(
      ['a', 'b'].map((instance) => `http_server_request_duration_seconds_count{job="returnit",instance="${instance}"}`),
      t.requestsPerMinute.value,
    ),
  },
  {
    name: 'CapacityLive',
    expr: 'sum by (job) (returnit_live_connections{transport=~"ws|sse"})',
    target: t.liveConnections,
    what: 'Live connections',
    cases: countCases(
      (values) => ({
        'returnit_live_connections{job="returnit",instance="a",transport="ws"}': values,
        'returnit_live_connections{job="returnit",instance="a",transport="sse"}': '50x60',
        // Devices are no viewers.
        'returnit_live_connections{job="returnit",instance="a",transport="mqtt"}': '5000x60',
      }),
      { target: t.liveConnections.value, rest: 50 },
    ),
  },
  {
    name: 'CapacityQueries',
    expr: 'sum by (job) (rate(db_client_operation_duration_seconds_count[5m]))',
    target: t.queriesPerSecond,
    what: 'Statements',
    cases: rateCases(
      ['orders', 'drivers'].map(
        (plugin) => `db_client_operation_duration_seconds_count{job="returnit",plugin="${plugin}"}`,
      ),
      60 * t.queriesPerSecond.value,
    ),
  },
];

/** What there is to grow into, and that there is nothing left. */
export const capacity: readonly Alert[] = capacities.flatMap(({ name, expr, target, what, cases }) => {
  const alert = (limit: number, shares: Omit<Shares, 'limit'>) =>
    ({
      runbook: 'Capacity',
      expr: `${expr} / ${target.value} > ${limit}`,
      for: `${minutes}m`,
      type: 'cause',
      plugin: 'core',
      description: `{{ $value | humanizePercentage }} of ${target.value} ${target.unit}.`,
      cases: cases({ ...shares, limit }, `${100 * shares.high}% of ${target.value} ${target.unit}.`),
    }) as const;
  return [
    {
      ...alert(t.capacity.value, { high: 0.9, low: 0.1 }),
      name,
      severity: 'warning',
      summary: `${what} come near to what the platform is laid out for`,
    },
    {
      ...alert(t.capacityCritical.value, { high: 1.25, low: 0.95 }),
      name: `${name}Exceeded`,
      severity: 'critical',
      summary: `${what} are more than the platform is laid out for`,
    },
  ] satisfies Alert[];
});
