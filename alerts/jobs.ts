import { thresholds as t } from '#core/config/thresholds.ts';
import type { Alert } from './alert.ts';
import { counterCases, gaugeCases } from './cases.ts';

const queue = 'queue="payments.capture"';

/** With the plugin whose queue it is: `payments.capture`, or `event.payments.order.created` for deliveries to it. */
const withPlugin = (expr: string): string =>
  `label_replace(${expr}, "plugin", "$1", "queue", "(?:event[.])?([^.]+)[.].+")`;

/** What is done later. Every node says the same of queues and outbox. */
export const jobs: readonly Alert[] = [
  {
    name: 'JobQueueStalled',
    expr: `${withPlugin('max without (instance) (returnit_job_oldest_age_seconds)')} > ${t.jobAge.value}`,
    for: '5m',
    severity: 'warning',
    type: 'symptom',
    plugin: '{{ $labels.plugin }}',
    summary: 'Jobs or events wait for minutes',
    description: 'The oldest job of {{ $labels.queue }} has been waiting for {{ $value | humanizeDuration }}.',
    cases: gaugeCases({
      samples: (values) => ({
        [`returnit_job_oldest_age_seconds{${queue},instance="a"}`]: values,
        [`returnit_job_oldest_age_seconds{${queue},instance="b"}`]: values,
      }),
      fires: [
        {
          labels: { queue: 'payments.capture', plugin: 'payments', service: 'payments' },
          description: 'The oldest job of payments.capture has been waiting for 10m 0s.',
        },
      ],
      high: 600,
      low: 2,
      limit: 300,
      for: 5,
    }),
  },
  {
    name: 'JobsFailing',
    expr: `sum by (job, plugin, queue) (increase(returnit_jobs_total{outcome=~"retried|dead_letter"}[10m]))
/ (sum by (job, plugin, queue) (increase(returnit_jobs_total[10m])) >= ${t.samples.value}) > ${t.jobFailures.value}`,
    for: '5m',
    severity: 'warning',
    type: 'cause',
    plugin: '{{ $labels.plugin }}',
    summary: 'Jobs or events fail and are tried again',
    description: '{{ $value | humanizePercentage }} of the attempts of {{ $labels.queue }} failed.',
    cases: counterCases({
      samples: (faulty) => ({
        [`returnit_jobs_total{job="returnit",plugin="payments",${queue},outcome="retried"}`]: faulty(90),
        [`returnit_jobs_total{job="returnit",plugin="payments",${queue},outcome="completed"}`]: '0+24x90',
        // All of few is no share.
        'returnit_jobs_total{job="returnit",plugin="webhooks",queue="webhooks.prune",outcome="retried"}': '0+1x90',
      }),
      fires: [
        {
          labels: { job: 'returnit', plugin: 'payments', queue: 'payments.capture', service: 'payments' },
          description: '25% of the attempts of payments.capture failed.',
        },
      ],
      high: 8,
      low: 0,
      limit: 1,
      window: 10,
      for: 5,
    }),
  },
  {
    name: 'OutboxStalled',
    expr: `max without (instance) (returnit_outbox_oldest_age_seconds) > ${t.outboxAge.value}`,
    for: '2m',
    severity: 'critical',
    type: 'symptom',
    plugin: 'core',
    summary: 'What was published is not handed on',
    description: 'The oldest row of the outbox is {{ $value | humanizeDuration }} old.',
    cases: gaugeCases({
      samples: (values) => ({ 'returnit_outbox_oldest_age_seconds{job="returnit",instance="a"}': values }),
      fires: [{ labels: { job: 'returnit' }, description: 'The oldest row of the outbox is 2m 0s old.' }],
      high: 120,
      low: 0,
      limit: 60,
      for: 2,
    }),
  },
  {
    name: 'EventsLate',
    expr: `histogram_quantile(0.95, sum by (job, plugin, event, le) (rate(returnit_event_delivery_lag_seconds_bucket[5m]))) > ${t.eventLag.value}`,
    for: '5m',
    severity: 'warning',
    type: 'symptom',
    plugin: '{{ $labels.plugin }}',
    summary: 'Events reach a plugin late',
    description:
      'One in twenty {{ $labels.event }} reaches {{ $labels.plugin }} {{ $value | humanizeDuration }} late or more.',
    cases: counterCases({
      samples: (faulty) => {
        const event = 'job="returnit",plugin="drivers",event="order.scheduled"';
        return {
          [`returnit_event_delivery_lag_seconds_bucket{${event},le="30"}`]: '0+95x60',
          [`returnit_event_delivery_lag_seconds_bucket{${event},le="60"}`]: faulty(60),
          [`returnit_event_delivery_lag_seconds_bucket{${event},le="+Inf"}`]: faulty(60),
        };
      },
      fires: [
        {
          labels: { job: 'returnit', plugin: 'drivers', event: 'order.scheduled', service: 'drivers' },
          description: 'One in twenty order.scheduled reaches drivers 58.42s late or more.',
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
    name: 'OutboxForged',
    expr: 'sum without (instance) (increase(returnit_outbox_rejected_total{reason="forged"}[15m])) > 0',
    for: '0m',
    severity: 'critical',
    type: 'cause',
    plugin: 'core',
    summary: 'Somebody wrote events or jobs past the permission check',
    description: 'In the last 15 minutes {{ $value | humanize }} rows of the outbox had not the seal of the core.',
    cases: counterCases({
      samples: (faulty) => ({
        'returnit_outbox_rejected_total{job="returnit",reason="forged",instance="a"}': faulty(90),
      }),
      fires: [
        {
          labels: { job: 'returnit', reason: 'forged' },
          description: 'In the last 15 minutes 15 rows of the outbox had not the seal of the core.',
        },
      ],
      high: 1,
      low: 0,
      limit: 0,
      window: 15,
      for: 0,
    }),
  },
  {
    name: 'JobsGivenUp',
    expr: `${withPlugin('max without (instance) (returnit_job_queue_depth{state="failed"})')} > 0`,
    for: '5m',
    severity: 'warning',
    type: 'cause',
    plugin: '{{ $labels.plugin }}',
    summary: 'Jobs or events have failed for the last time',
    description:
      '{{ $value }} jobs of {{ $labels.queue }} have failed for the last time: what they were to do is not done.',
    cases: gaugeCases({
      samples: (values) => ({
        [`returnit_job_queue_depth{queue="event.drivers.order.scheduled",state="failed",instance="a"}`]: values,
        [`returnit_job_queue_depth{queue="event.drivers.order.scheduled",state="failed",instance="b"}`]: values,
        [`returnit_job_queue_depth{${queue},state="queued",instance="a"}`]: '500x60',
      }),
      fires: [
        {
          labels: { queue: 'event.drivers.order.scheduled', plugin: 'drivers', service: 'drivers', state: 'failed' },
          description:
            '1 jobs of event.drivers.order.scheduled have failed for the last time: what they were to do is not done.',
        },
      ],
      high: 1,
      low: 0,
      limit: 0,
      for: 5,
    }),
  },
];
