import { thresholds as t } from '#core/config/thresholds.ts';
import type { DashboardDefinition } from './panel.ts';
import { nodes, plugins, quantile, rate, same, shareGoneWrong } from './promql.ts';

/** What is done in the background: jobs, events and the outbox between. */
export const jobs: DashboardDefinition = {
  uid: 'returnit-jobs',
  title: 'ReturnIt / Jobs and events',
  description: 'Whether background work keeps up, what fails, and what was given up.',
  rows: [
    {
      title: 'Queues',
      panels: [
        {
          id: 1,
          title: 'Oldest job that could run',
          question: 'Does a queue stand still? Age tells it earlier than depth.',
          unit: 's',
          queries: [{ expr: `topk(8, ${same('returnit_job_oldest_age_seconds', 'queue')})`, legend: '{{queue}}' }],
          limits: { warning: t.jobAge.value },
          min: 0,
          alerts: ['JobQueueStalled'],
        },
        {
          id: 2,
          title: 'Jobs that wait',
          question: 'Which queues are long? A peak that is worked off is well; a line that only rises is not.',
          unit: 'short',
          queries: [
            {
              expr: `topk(8, ${same('returnit_job_queue_depth', 'queue', `${nodes},state="queued"`)})`,
              legend: '{{queue}}',
            },
          ],
          min: 0,
        },
        {
          id: 3,
          title: 'Given up',
          question: 'Which jobs failed at every try? They stay until somebody replays or drops them.',
          unit: 'short',
          queries: [
            {
              expr: `${same('returnit_job_queue_depth', 'queue', `${nodes},state="failed"`)} > 0 or vector(0)`,
              legend: 'given up {{queue}}',
            },
          ],
          min: 0,
          alerts: ['JobsGivenUp'],
        },
        {
          id: 4,
          title: 'Attempts by plugin',
          question: 'How much background work does each plugin do?',
          unit: 'ops',
          kind: 'stacked',
          queries: [{ expr: rate('returnit_jobs_total', 'plugin', plugins), legend: '{{plugin}}' }],
        },
        {
          id: 5,
          title: 'Attempts that failed',
          question: 'What share of the attempts of a queue has to be made again, or was the last?',
          unit: 'percentunit',
          queries: [
            {
              expr: shareGoneWrong(
                `sum by (plugin, queue) (rate(returnit_jobs_total{${plugins},outcome=~"retried|dead_letter"}[$__rate_interval]))`,
                rate('returnit_jobs_total', 'plugin, queue', plugins),
              ),
              legend: '{{queue}}',
            },
          ],
          limits: { warning: t.jobFailures.value },
          min: 0,
          alerts: ['JobsFailing'],
        },
        {
          id: 6,
          title: 'Slowest queues, p95',
          question: 'How long does an attempt take?',
          unit: 's',
          queries: [
            {
              expr: `topk(8, ${quantile(0.95, 'returnit_job_duration_seconds', { by: 'queue', matchers: plugins })})`,
              legend: '{{queue}}',
            },
          ],
          min: 0,
        },
        {
          id: 7,
          title: 'Waiting to run, p95',
          question: 'How long does a job wait from when it could run?',
          unit: 's',
          queries: [
            {
              expr: `topk(8, ${quantile(0.95, 'returnit_job_wait_seconds', { by: 'queue', matchers: plugins })})`,
              legend: '{{queue}}',
            },
          ],
          min: 0,
        },
        {
          id: 8,
          title: 'Jobs, last done',
          question: 'When did each job last succeed? One that has a schedule and is not here is stuck.',
          unit: 'dateTimeFromNow',
          kind: 'table',
          queries: [
            {
              expr: `1000 * ${same('returnit_job_last_success_timestamp_seconds', 'queue', `${nodes},queue!~"event[.].*"`)}`,
              legend: '{{queue}}',
            },
          ],
        },
        {
          id: 9,
          title: 'Dead letters taken out',
          question: 'What did operators do with what was given up?',
          unit: 'ops',
          queries: [{ expr: rate('returnit_job_dead_letters_total', 'queue, action'), legend: '{{queue}} {{action}}' }],
          min: 0,
        },
      ],
    },
    {
      title: 'Events and outbox',
      panels: [
        {
          id: 10,
          title: 'Oldest row of the outbox',
          question: 'Does what was committed reach the queues? It rises when the relay stands still.',
          unit: 's',
          queries: [{ expr: same('returnit_outbox_oldest_age_seconds'), legend: 'oldest' }],
          limits: { critical: t.outboxAge.value },
          min: 0,
          alerts: ['OutboxStalled'],
        },
        {
          id: 11,
          title: 'Outbox',
          question: 'How much waits there, and how often did moving it fail?',
          unit: 'short',
          queries: [
            { expr: same('returnit_outbox_depth'), legend: 'rows' },
            { expr: `sum(increase(returnit_outbox_relay_errors_total{${nodes}}[5m]))`, legend: 'failures in 5 min' },
          ],
          min: 0,
        },
        {
          id: 12,
          title: 'From event to subscriber, p95',
          question: 'How long until a subscriber has handled an event?',
          unit: 's',
          queries: [
            {
              expr: quantile(0.95, 'returnit_event_delivery_lag_seconds', { by: 'plugin', matchers: plugins }),
              legend: '{{plugin}}',
            },
          ],
          limits: { warning: t.eventLag.value },
          min: 0,
          alerts: ['EventsLate'],
        },
        {
          id: 13,
          title: 'Events published',
          question: 'What happens on the platform?',
          unit: 'ops',
          kind: 'stacked',
          queries: [{ expr: rate('returnit_events_published_total', 'event', plugins), legend: '{{event}}' }],
        },
        {
          id: 14,
          title: 'Deliveries by end',
          question: 'Are events handled? Duplicates are recognised and do nothing; failures are tried again.',
          unit: 'ops',
          queries: [
            {
              expr: rate('returnit_events_delivered_total', 'plugin, outcome', plugins),
              legend: '{{plugin}} {{outcome}}',
            },
          ],
          min: 0,
        },
        {
          id: 15,
          title: 'Set aside',
          question: 'Which rows of the outbox were refused? Forged: somebody writes past the core.',
          unit: 'short',
          queries: [
            {
              expr: `sum by (reason) (increase(returnit_outbox_rejected_total{${nodes}}[15m]))`,
              legend: '{{reason}} in 15 min',
            },
          ],
          min: 0,
          alerts: ['OutboxForged'],
        },
      ],
    },
  ],
};
