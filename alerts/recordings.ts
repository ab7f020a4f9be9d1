import { thresholds } from '#core/config/thresholds.ts';
import type { Recording } from './alert.ts';
import { newYork } from './new-york.ts';
import { resourceUses } from './resources.ts';

const requests = 'http_server_request_duration_seconds_count';

/** What an objective counts as failed, of all requests. */
export const objectives = {
  availability: {
    objective: thresholds.availability.value,
    errors: (window: string) => `sum by (job) (increase(returnit_http_failed_requests_total[${window}]))`,
  },
  promptness: {
    objective: thresholds.promptness.value,
    errors: (window: string) => `sum by (job) (increase(returnit_http_slow_requests_total[${window}]))`,
  },
} as const;

export type Objective = keyof typeof objectives;

/** All windows that an alert of an error budget looks at. */
export const budgetWindows = ['5m', '30m', '1h', '2h', '6h', '1d', '3d'] as const;

const total = (window: string): string => `sum by (job) (increase(${requests}[${window}]))`;

const ofObjective = (slo: Objective): Recording[] => [
  { record: 'slo:objective:ratio', expr: `vector(${objectives[slo].objective})`, labels: { slo } },
  ...budgetWindows.flatMap((window) => [
    // What has never failed has no series.
    {
      record: `slo:sli_error:increase${window}`,
      expr: `${objectives[slo].errors(window)} or 0 * ${total(window)}`,
      labels: { slo },
    },
    {
      record: `slo:sli_error:ratio_rate${window}`,
      expr: `slo:sli_error:increase${window}{slo="${slo}"} / on (job) (${total(window)} > 0)`,
      labels: { slo },
    },
  ]),
];

/** By group. */
export const recordings: Readonly<Record<string, readonly Recording[]>> = {
  business: newYork,
  node: [
    {
      record: 'instance:returnit_container_cpu:utilization_ratio1m',
      expr: 'rate(returnit_container_cpu_usage_seconds_total[1m]) / returnit_container_cpu_limit_cores',
    },
    {
      record: 'instance:returnit_container_memory:utilization_ratio',
      expr: 'returnit_container_memory_working_set_bytes / (returnit_container_memory_limit_bytes > 0)',
    },
    {
      record: 'instance:nodejs_eventloop:utilization_ratio1m',
      expr: `sum without (nodejs_eventloop_state) (rate(nodejs_eventloop_time_seconds_total{nodejs_eventloop_state="active"}[1m]))
/ sum without (nodejs_eventloop_state) (rate(nodejs_eventloop_time_seconds_total[1m]))`,
    },
  ],
  http: [
    {
      record: 'plugin:http_server_requests:increase5m',
      expr: `sum by (job, plugin) (increase(${requests}[5m]))`,
    },
    {
      record: 'plugin:http_server_requests_failed:ratio5m',
      expr: `sum by (job, plugin) (increase(returnit_http_failed_requests_total[5m]))
/ plugin:http_server_requests:increase5m`,
    },
  ],
  database: [
    {
      record: 'plugin:db_client_operation_duration_seconds:mean5m',
      expr: `sum by (job, plugin) (rate(db_client_operation_duration_seconds_sum[5m]))
/ sum by (job, plugin) (rate(db_client_operation_duration_seconds_count[5m]))`,
    },
    {
      record: 'instance:db_client_connections:utilization_ratio',
      expr: `sum without (db_client_connection_state) (db_client_connections{db_client_connection_state="used"})
/ (db_client_connection_max > 0)`,
    },
  ],
  resources: Object.entries(resourceUses).map(([resource, used]) => ({
    record: 'resource:returnit_resource:utilization_ratio',
    expr: `${used} / on (job) max by (job) (returnit_resource_limit{resource="${resource}"})`,
    labels: { resource },
  })),
  availability: ofObjective('availability'),
  promptness: ofObjective('promptness'),
};
