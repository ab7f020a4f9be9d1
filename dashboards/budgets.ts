import { thresholds as t } from '#core/config/thresholds.ts';
import type { DashboardDefinition } from './panel.ts';
import { allNodes, nodes, rate, share } from './promql.ts';

const orders = `sum(rate(returnit_orders_booked_total{${nodes},outcome="accepted"}[$__rate_interval]))`;
const statements = 'db_client_operation_duration_seconds';
const perOrder = (cost: string): string => share(cost, orders);

/** What an order costs us, and who spends it. */
export const budgets: DashboardDefinition = {
  uid: 'returnit-budgets',
  title: 'ReturnIt / Cost and budgets',
  description: 'What an order costs in processors, statements and bytes, and which plugin spends it.',
  span: '6h',
  rows: [
    {
      title: 'An order costs',
      panels: [
        {
          id: 1,
          title: 'Processor time an order',
          question:
            'How much processor time does an order take, everything else included? With few orders it is mostly the rest.',
          unit: 's',
          queries: [
            { expr: perOrder(`sum(rate(process_cpu_seconds_total{${nodes}}[$__rate_interval]))`), legend: 'core' },
            {
              expr: perOrder(`sum(rate(returnit_plugin_cpu_seconds_total{${nodes}}[$__rate_interval]))`),
              legend: 'plugins',
            },
            { expr: perOrder(`sum(rate(${statements}_sum{${nodes}}[$__rate_interval]))`), legend: 'statements' },
          ],
          min: 0,
        },
        {
          id: 2,
          title: 'Statements an order',
          question: 'How much does an order ask of the database?',
          unit: 'short',
          queries: [
            { expr: perOrder(`sum(rate(${statements}_count{${nodes}}[$__rate_interval]))`), legend: 'statements' },
            {
              expr: perOrder(`sum(rate(returnit_db_transactions_total{${nodes}}[$__rate_interval]))`),
              legend: 'transactions',
            },
            { expr: perOrder(`sum(rate(returnit_jobs_sent_total{${nodes}}[$__rate_interval]))`), legend: 'jobs' },
            {
              expr: perOrder(`sum(rate(returnit_events_published_total{${nodes}}[$__rate_interval]))`),
              legend: 'events',
            },
          ],
          min: 0,
        },
        {
          id: 3,
          title: 'Requests an order',
          question: 'How often are we asked for each order?',
          unit: 'short',
          queries: [
            {
              expr: perOrder(`sum(rate(http_server_request_duration_seconds_count{${nodes}}[$__rate_interval]))`),
              legend: 'asked of us',
            },
            {
              expr: perOrder(`sum(rate(http_client_request_duration_seconds_count{${nodes}}[$__rate_interval]))`),
              legend: 'asked of providers',
            },
          ],
          min: 0,
        },
      ],
    },
    {
      title: 'Who spends',
      panels: [
        {
          id: 4,
          title: 'Processors by plugin',
          question: 'Which plugin uses the processors?',
          unit: 'short',
          kind: 'stacked',
          queries: [
            { expr: rate('returnit_plugin_cpu_seconds_total', 'plugin'), legend: '{{plugin}}' },
            { expr: `sum(rate(process_cpu_seconds_total{${nodes}}[$__rate_interval]))`, legend: 'core' },
          ],
        },
        {
          id: 5,
          title: 'Time of the database by plugin',
          question: 'Which plugin keeps the database busy?',
          unit: 'short',
          kind: 'stacked',
          queries: [{ expr: rate(`${statements}_sum`, 'plugin'), legend: '{{plugin}}' }],
        },
        {
          id: 6,
          title: 'Bytes of streams and uploads',
          question: 'Who sends and takes much?',
          unit: 'Bps',
          queries: [
            { expr: rate('returnit_http_stream_bytes_total', 'plugin'), legend: '{{plugin}} sent' },
            { expr: rate('returnit_http_upload_bytes_total', 'plugin'), legend: '{{plugin}} taken' },
          ],
          min: 0,
        },
      ],
    },
    {
      title: 'Budgets',
      panels: [
        {
          id: 10,
          title: 'Of what may be used',
          question: 'How much of each resource is used of what all nodes together may? From the line on ops are told.',
          unit: 'percentunit',
          queries: [{ expr: `resource:returnit_resource:utilization_ratio{${allNodes}}`, legend: '{{resource}}' }],
          limits: { warning: t.resource.value },
          min: 0,
          alerts: ['ResourceHigh'],
        },
        {
          id: 11,
          title: 'Sent over the network',
          question: 'What is bandwidth used at, by node?',
          unit: 'Bps',
          queries: [{ expr: rate('returnit_network_sent_bytes_total', 'instance'), legend: '{{instance}}' }],
          min: 0,
        },
        {
          id: 7,
          title: "Partners' budgets",
          question: 'Do partners use up what they may ask in a day? Spent: they are answered 429 until tomorrow.',
          unit: 'ops',
          queries: [{ expr: rate('returnit_http_budget_leases_total', 'outcome'), legend: '{{outcome}}' }],
          min: 0,
        },
        {
          id: 8,
          title: "Providers' answers",
          question: 'How many requests go to providers who charge for them?',
          unit: 'reqps',
          queries: [
            {
              expr: rate('http_client_request_duration_seconds_count', 'plugin, server_address'),
              legend: '{{plugin}} {{server_address}}',
            },
          ],
          min: 0,
        },
        {
          id: 9,
          title: 'Messages sent',
          question: 'How many messages are paid for, by channel?',
          unit: 'ops',
          queries: [
            {
              expr: `sum by (channel) (rate(returnit_notifications_total{${nodes},outcome="sent"}[$__rate_interval]))`,
              legend: '{{channel}}',
            },
          ],
          min: 0,
        },
      ],
    },
  ],
};
