import type { Alert, AlertCases } from './alert.ts';
import { counterCases, gaugeCases } from './cases.ts';

const labels = { job: 'returnit', instance: 'a' };

const watchers = ['prometheus', 'alertmanager', 'grafana', 'otel-collector', 'tempo', 'loki'];

/** When these do not answer; nodes that do not are another alert's. */
const missing = (jobs: readonly string[]): AlertCases =>
  gaugeCases({
    samples: (values) => ({
      ...Object.fromEntries(jobs.map((job) => [`up{job="${job}",instance="w"}`, values])),
      'up{job="returnit",instance="a"}': '0x60',
    }),
    fires: jobs.map((job) => ({
      labels: { job, instance: 'w' },
      description: `${job} at w cannot be scraped (up is 0).`,
    })),
    high: 0,
    low: 1,
    limit: 1,
    for: 5,
  });

/** Whether we see at all. */
export const meta: readonly Alert[] = [
  {
    name: 'TargetDown',
    expr: 'up{job="returnit"} == 0',
    for: '1m',
    severity: 'critical',
    type: 'symptom',
    plugin: 'core',
    summary: 'A node does not answer Prometheus',
    description: '{{ $labels.instance }} cannot be scraped (up is {{ $value }}).',
    cases: gaugeCases({
      samples: (values) => ({ 'up{job="returnit",instance="a"}': values, 'up{job="other",instance="b"}': '0x60' }),
      fires: [{ labels, description: 'a cannot be scraped (up is 0).' }],
      high: 0,
      low: 1,
      limit: 1,
      for: 1,
    }),
  },
  {
    name: 'MonitoringDown',
    // Whatever else is scraped: it serves nobody but us, and of what it misses nothing can be made good at night.
    expr: 'up{job!="returnit"} == 0',
    for: '5m',
    severity: 'warning',
    type: 'cause',
    plugin: 'core',
    summary: 'A part of the monitoring does not answer Prometheus',
    description: '{{ $labels.job }} at {{ $labels.instance }} cannot be scraped (up is {{ $value }}).',
    cases: { ...missing(watchers), resolves: missing(['tempo']).resolves },
  },
  {
    name: 'MetricsAbsent',
    expr: 'absent(returnit_build_info)',
    for: '5m',
    severity: 'critical',
    type: 'symptom',
    plugin: 'core',
    summary: 'No node reports anything',
    description: 'There are no metrics of the platform (absent() is {{ $value }}): the other alerts say nothing.',
    cases: {
      fires: {
        samples: { 'returnit_build_info{job="returnit",instance="a"}': '1x2 _x20' },
        at: '18m',
        alerts: [
          {
            labels: {},
            description: 'There are no metrics of the platform (absent() is 1): the other alerts say nothing.',
          },
        ],
      },
      quiet: { samples: { 'returnit_build_info{job="returnit",instance="a"}': '1x20' }, at: '15m' },
      // A restart.
      boundary: { samples: { 'returnit_build_info{job="returnit",instance="a"}': '1x2 _x3 1x20' }, at: '9m' },
      resolves: {
        samples: { 'returnit_build_info{job="returnit",instance="a"}': '1x2 _x16 1x20' },
        firesAt: '17m',
        at: '21m',
      },
    },
  },
  {
    name: 'LabelSetsDropped',
    expr: 'sum without (instance) (increase(returnit_metric_labelsets_dropped_total[15m])) > 0',
    for: '0m',
    severity: 'warning',
    type: 'cause',
    plugin: 'core',
    summary: 'A metric has more label sets than it may, and puts the rest into one',
    description: '{{ $labels.metric }} had {{ $value | humanize }} label sets too many in 15 minutes.',
    cases: counterCases({
      samples: (faulty) => ({
        'returnit_metric_labelsets_dropped_total{job="returnit",instance="a",metric="returnit_jobs_total"}': faulty(90),
      }),
      fires: [
        {
          labels: { job: 'returnit', metric: 'returnit_jobs_total' },
          description: 'returnit_jobs_total had 30 label sets too many in 15 minutes.',
        },
      ],
      high: 2,
      low: 0,
      limit: 0,
      window: 15,
      for: 0,
    }),
  },
  {
    name: 'CollectorsFailing',
    expr: 'increase(returnit_metrics_collect_errors_total[15m]) > 0',
    for: '5m',
    severity: 'warning',
    type: 'cause',
    plugin: 'core',
    summary: 'Some metrics are not read before a scrape',
    description:
      'On {{ $labels.instance }} collectors failed {{ $value | humanize }} times in 15 minutes: what they read is old.',
    cases: counterCases({
      samples: (faulty) => ({ 'returnit_metrics_collect_errors_total{job="returnit",instance="a"}': faulty(90) }),
      fires: [{ labels, description: 'On a collectors failed 15 times in 15 minutes: what they read is old.' }],
      high: 1,
      low: 0,
      limit: 0,
      window: 15,
      for: 5,
    }),
  },
  {
    name: 'RulesFailing',
    expr: 'increase(prometheus_rule_evaluation_failures_total[5m]) > 0',
    for: '5m',
    severity: 'warning',
    type: 'cause',
    plugin: 'core',
    summary: 'Prometheus cannot evaluate a rule',
    description: '{{ $labels.rule_group }} failed {{ $value | humanize }} times in 5 minutes.',
    cases: counterCases({
      samples: (faulty) => ({
        'prometheus_rule_evaluation_failures_total{job="prometheus",instance="p",rule_group="returnit-node"}':
          faulty(60),
      }),
      fires: [
        {
          labels: { job: 'prometheus', instance: 'p', rule_group: 'returnit-node' },
          description: 'returnit-node failed 10 times in 5 minutes.',
        },
      ],
      high: 2,
      low: 0,
      limit: 0,
      window: 5,
      for: 5,
    }),
  },
  {
    name: 'NotificationsNotSent',
    expr: 'increase(alertmanager_notifications_failed_total[5m]) > 0',
    for: '5m',
    severity: 'critical',
    type: 'cause',
    plugin: 'core',
    summary: 'Alertmanager cannot tell anybody',
    description: 'By {{ $labels.integration }} {{ $value | humanize }} notifications failed in 5 minutes.',
    cases: counterCases({
      samples: (faulty) => ({
        'alertmanager_notifications_failed_total{job="alertmanager",instance="m",integration="webhook"}': faulty(60),
      }),
      fires: [
        {
          labels: { job: 'alertmanager', instance: 'm', integration: 'webhook' },
          description: 'By webhook 10 notifications failed in 5 minutes.',
        },
      ],
      high: 2,
      low: 0,
      limit: 0,
      window: 5,
      for: 5,
    }),
  },
  {
    name: 'Watchdog',
    expr: 'vector(1)',
    for: '0m',
    severity: 'none',
    type: 'heartbeat',
    plugin: 'core',
    summary: 'The alerts work: whoever hears nothing of this for a minute is to look',
    description: 'Always {{ $value }}.',
    cases: undefined,
  },
];
