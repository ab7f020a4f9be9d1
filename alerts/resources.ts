import { thresholds as t } from '#core/config/thresholds.ts';
import { resourceUnits } from '#core/telemetry/catalogue/resources.ts';
import type { Alert, AlertCases, Firing, Samples } from './alert.ts';
import { counterCases, gaugeCases } from './cases.ts';

/** What is used of each resource that there is a budget for, by all nodes together. */
export const resourceUses = {
  compute: 'sum by (job) (rate(returnit_container_cpu_usage_seconds_total[5m]))',
  memory: 'sum by (job) (returnit_container_memory_working_set_bytes)',
  database: 'max by (job) (returnit_postgres_database_size_bytes)',
  bandwidth: 'sum by (job) (increase(returnit_network_sent_bytes_total[30d]))',
  storage: 'max by (job) (returnit_storage_used_bytes)',
} as const;

type Resource = keyof typeof resourceUses;

const mega = 1_000_000;

/** What two nodes say, each of the same budget; and another resource, without one. */
function ofNodes(resource: Resource, limit: string, used: Samples): Samples {
  const unlimited: Resource = resource === 'storage' ? 'database' : 'storage';
  const series = { database: 'returnit_postgres_database_size_bytes', storage: 'returnit_storage_used_bytes' };
  return {
    ...used,
    [`${series[unlimited]}{job="returnit",instance="a"}`]: `${2000 * mega}x60`,
    ...Object.fromEntries(
      ['a', 'b'].map((instance) => [
        `returnit_resource_limit{job="returnit",instance="${instance}",resource="${resource}",unit="${resourceUnits[resource]}"}`,
        limit,
      ]),
    ),
  };
}

const firing = (resource: Resource): readonly Firing[] => [
  { labels: { job: 'returnit', resource }, description: `95% of the budget for ${resource}.` },
];

/** Of a gauge, of which the second node says `other`; in millions of a budget of 1000. */
function sizeCases(resource: Resource, metric: string, other: number): AlertCases {
  const together = resource === 'memory' ? other : 0;
  return {
    of: resource,
    ...gaugeCases({
      samples: (values) =>
        ofNodes(resource, `${1000 * mega}x60`, {
          [`${metric}{job="returnit",instance="a"}`]: values,
          [`${metric}{job="returnit",instance="b"}`]: `${other * mega}x60`,
        }),
      fires: firing(resource),
      high: (950 - together) * mega,
      low: (400 - together) * mega,
      limit: (900 - together) * mega,
      for: 5,
    }),
  };
}

/** Two processors, of which the second node uses half a one. */
const computeCases: AlertCases = {
  of: 'compute',
  ...counterCases({
    samples: (faulty) =>
      ofNodes('compute', '2x60', {
        'returnit_container_cpu_usage_seconds_total{job="returnit",instance="a"}': faulty(60),
        'returnit_container_cpu_usage_seconds_total{job="returnit",instance="b"}': '0+30x60',
      }),
    fires: firing('compute'),
    high: 84,
    low: 6,
    limit: 78,
    window: 5,
    for: 5,
  }),
};

const sent = (values: string, limit = `${1000 * mega}x60`): Samples =>
  ofNodes('bandwidth', limit, {
    'returnit_network_sent_bytes_total{job="returnit",instance="a"}': values,
    'returnit_network_sent_bytes_total{job="returnit",instance="b"}': `0 ${450 * mega}x60`,
  });

/** What was sent stays sent for 30 days: it is over when there may be more. */
const bandwidthCases: AlertCases = {
  of: 'bandwidth',
  fires: { samples: sent(`0 ${500 * mega}x60`), at: '8m', alerts: firing('bandwidth') },
  quiet: { samples: sent(`0 ${100 * mega}x60`), at: '25m' },
  boundary: { samples: sent(`0 ${450 * mega}x60`), at: '25m' },
  resolves: {
    samples: sent(`0 ${500 * mega}x60`, `${1000 * mega}x10 ${1200 * mega}x50`),
    firesAt: '8m',
    at: '13m',
  },
};

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
    cases: [
      computeCases,
      sizeCases('memory', 'returnit_container_memory_working_set_bytes', 300),
      sizeCases('database', 'returnit_postgres_database_size_bytes', 390),
      bandwidthCases,
      sizeCases('storage', 'returnit_storage_used_bytes', 390),
    ],
  },
];
