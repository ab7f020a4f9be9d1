import { thresholds as t } from '#core/config/thresholds.ts';
import type { DashboardDefinition, PanelDefinition } from './panel.ts';
import { allNodes, nodes, plugins, quantile, rate, same, share } from './promql.ts';

const requests = 'http_server_request_duration_seconds';
const allRequests = `sum(rate(${requests}_count{${nodes}}[$__rate_interval]))`;
const failed = `sum(rate(returnit_http_failed_requests_total{${nodes}}[$__rate_interval]))`;

interface Budget {
  readonly id: number;
  readonly title: string;
  readonly slo: 'availability' | 'promptness';
  readonly errors: string;
  readonly names: string;
}

const budgetPanel = ({ id, title, slo, errors, names }: Budget): PanelDefinition => ({
  id,
  title,
  question: `How much of the ${slo} budget of 30 days is left? Below 0 the objective of ${t[slo].value} is missed.`,
  unit: 'percentunit',
  kind: 'number',
  queries: [
    {
      expr: `1 - (sum(increase(${errors}[30d])) or vector(0)) / sum(increase(${requests}_count{${nodes}}[30d])) / ${Number((1 - t[slo].value).toFixed(6))}`,
      legend: 'left',
    },
  ],
  limits: { warning: 0.5, critical: 0.1, below: true },
  width: 4,
  alerts: ['Fast', 'Soon', 'Slow', 'Whole'].map((pace) => `${names}${pace}`),
});

/** Is something wrong, and where? */
export const overview: DashboardDefinition = {
  uid: 'returnit-overview',
  title: 'ReturnIt / Overview',
  description: 'Whether people are served, and where to look when they are not.',
  rows: [
    {
      title: 'Now',
      panels: [
        {
          id: 1,
          title: 'Nodes that answer',
          question: 'How many nodes does Prometheus reach? Fewer than were started: one is down or cut off.',
          unit: 'short',
          kind: 'number',
          queries: [{ expr: `sum(up{${nodes}})`, legend: 'nodes' }],
          limits: { critical: 1, below: true },
          width: 4,
          alerts: ['TargetDown', 'MetricsAbsent'],
        },
        budgetPanel({
          id: 2,
          title: 'Availability budget left',
          slo: 'availability',
          errors: `returnit_http_failed_requests_total{${nodes}}`,
          names: 'ErrorBudgetBurns',
        }),
        budgetPanel({
          id: 3,
          title: 'Promptness budget left',
          slo: 'promptness',
          errors: `returnit_http_slow_requests_total{${nodes}}`,
          names: 'ErrorBudgetPromptnessBurns',
        }),
        {
          id: 4,
          title: 'What is firing',
          question: 'Which alerts fire now, how bad, and whose are they? The watchdog always does.',
          unit: 'none',
          kind: 'table',
          queries: [
            {
              expr: `sum by (severity, alertname, service) (ALERTS{alertstate="firing"})`,
              legend: '{{severity}} {{alertname}} {{service}}',
            },
          ],
          width: 12,
          alerts: ['Watchdog', 'RulesFailing', 'NotificationsNotSent', 'MonitoringDown'],
        },
      ],
    },
    {
      title: 'Golden signals',
      panels: [
        {
          id: 5,
          title: 'Traffic',
          question: 'How much is asked of each plugin? A sudden fall is as telling as a peak.',
          unit: 'reqps',
          kind: 'stacked',
          queries: [{ expr: rate(`${requests}_count`, 'plugin', plugins), legend: '{{plugin}}' }],
        },
        {
          id: 6,
          title: 'Errors',
          question: 'What share of the requests is answered 5xx? The line is where somebody is called.',
          unit: 'percentunit',
          queries: [{ expr: share(`(${failed} or vector(0))`, allRequests), legend: 'failed' }],
          limits: { critical: t.failedRequests.value },
          min: 0,
        },
        {
          id: 7,
          title: 'Latency',
          question: 'How long do half of the requests take, and the slowest hundredth? Points lead to traces.',
          unit: 's',
          queries: [0.5, 0.95, 0.99].map((of) => ({ expr: quantile(of, requests), legend: `p${of * 100}` })),
          limits: { warning: t.slowRequestMs.value / 1000 },
          min: 0,
        },
        {
          id: 8,
          title: 'Saturation',
          question: 'What fills up first: processors, memory, event loop or database connections?',
          unit: 'percentunit',
          queries: [
            { expr: `max(instance:returnit_container_cpu:utilization_ratio1m{${nodes}})`, legend: 'processors' },
            { expr: `max(instance:returnit_container_memory:utilization_ratio{${nodes}})`, legend: 'memory' },
            { expr: `max(instance:nodejs_eventloop:utilization_ratio1m{${nodes}})`, legend: 'event loop' },
            { expr: `max(instance:db_client_connections:utilization_ratio{${nodes}})`, legend: 'connections' },
          ],
          limits: { warning: t.cpu.value, critical: t.eventLoop.value },
          min: 0,
        },
        {
          id: 9,
          title: 'Work that waits',
          question: 'Does anything wait for longer than it should: jobs, events, orders without a driver?',
          unit: 's',
          queries: [
            { expr: `max(returnit_job_oldest_age_seconds{${nodes}})`, legend: 'oldest job' },
            { expr: same('returnit_outbox_oldest_age_seconds'), legend: 'oldest event' },
            { expr: same('returnit_dispatch_oldest_wait_seconds'), legend: 'order without a driver' },
          ],
          limits: { warning: t.outboxAge.value, critical: t.jobAge.value },
          min: 0,
        },
        {
          id: 10,
          title: 'Capacity in use',
          question: 'How near are we to what the platform is laid out for? From the line on it is time to grow.',
          unit: 'percentunit',
          queries: [
            { expr: `sum by (job) (returnit_http_active_users{${allNodes}}) / ${t.users.value}`, legend: 'users' },
            {
              expr: `60 * sum by (job) (rate(${requests}_count{${allNodes}}[5m])) / ${t.requestsPerMinute.value}`,
              legend: 'requests',
            },
            {
              expr: `sum by (job) (returnit_live_connections{${allNodes},transport=~"ws|sse"}) / ${t.liveConnections.value}`,
              legend: 'live connections',
            },
            {
              expr: `sum by (job) (rate(db_client_operation_duration_seconds_count{${allNodes}}[5m])) / ${t.queriesPerSecond.value}`,
              legend: 'statements',
            },
          ],
          limits: { warning: t.capacity.value, critical: t.capacityCritical.value },
          min: 0,
          alerts: ['Users', 'Requests', 'Live', 'Queries'].flatMap((of) => [`Capacity${of}`, `Capacity${of}Exceeded`]),
        },
      ],
    },
  ],
};
