import { thresholds as t } from '#core/config/thresholds.ts';
import type { Alert } from './alert.ts';
import { gaugeCases } from './cases.ts';

/** What is used of each resource that there is a budget for, by all nodes together. */
export const resourceUses = {
  compute: 'sum by (job) (rate(returnit_container_cpu_usage_seconds_total[5m]))',
  memory: 'sum by (job) (returnit_container_memory_working_set_bytes)',
  database: 'max by (job) (returnit_postgres_database_size_bytes)',
  bandwidth: 'sum by (job) (increase(returnit_network_sent_bytes_total[30d]))',
  storage: 'max by (job) (returnit_storage_used_bytes)',
} as const;

const mega = 1_000_000;

/** What is paid for. */
export const resources: readonly Alert[] = [
  {
    name: 'ResourceHigh',
    expr: `resource:returnit_resource:utilization_ratio > ${t.resource.value}`,
    for: '5m',
    severity: 'warning',
    type: 'cause',
    plugin: 'core',
    summary: 'What may be used of a resource is nearly used up',
    description: '{{ $value | humanizePercentage }} of the budget for {{ $labels.resource }}.',
    cases: gaugeCases({
      samples: (values) => ({
        'returnit_postgres_database_size_bytes{job="returnit",instance="a"}': values,
        // Every node says the same.
        'returnit_resource_limit{job="returnit",instance="a",resource="database",unit="bytes"}': `${1000 * mega}x60`,
        'returnit_resource_limit{job="returnit",instance="b",resource="database",unit="bytes"}': `${1000 * mega}x60`,
        // Without a budget.
        'returnit_storage_used_bytes{job="returnit",instance="a"}': `${1000 * mega}x60`,
      }),
      fires: [{ labels: { job: 'returnit', resource: 'database' }, description: '95% of the budget for database.' }],
      high: 950 * mega,
      low: 400 * mega,
      limit: 900 * mega,
      for: 5,
    }),
  },
];
