import { thresholds as t } from '#core/config/thresholds.ts';
import type { DashboardDefinition } from './panel.ts';
import { nodes, plugins, quantile, rate, share, shareGoneWrong } from './promql.ts';

const requests = 'http_server_request_duration_seconds';
const client = 'http_client_request_duration_seconds';

/** Rate, errors and duration of what is asked, and of what is asked of others. */
export const api: DashboardDefinition = {
  uid: 'returnit-api',
  title: 'ReturnIt / API',
  description: 'Requests by plugin and route: how many, how many fail, how long they take, who is refused.',
  rows: [
    {
      title: 'Requests',
      panels: [
        {
          id: 1,
          title: 'Requests by status',
          question: 'How are requests answered? 4xx is the caller, 5xx is us.',
          unit: 'reqps',
          kind: 'stacked',
          queries: [
            {
              expr: rate(`${requests}_count`, 'http_response_status_code', plugins),
              legend: '{{http_response_status_code}}',
            },
          ],
        },
        {
          id: 2,
          title: "Failed, of a plugin's requests",
          question: "What share of each plugin's requests is answered 5xx?",
          unit: 'percentunit',
          queries: [
            {
              expr: shareGoneWrong(
                rate('returnit_http_failed_requests_total', 'plugin', plugins),
                rate(`${requests}_count`, 'plugin', plugins),
              ),
              legend: '{{plugin}}',
            },
          ],
          limits: { critical: t.failedRequests.value },
          min: 0,
          alerts: ['RequestsFailing'],
        },
        {
          id: 3,
          title: 'Slow, of a route',
          question: `What share of a route's requests takes more than ${t.slowRequestMs.value} ms? Each is a line of the log with its trace.`,
          unit: 'percentunit',
          queries: [
            {
              expr: `topk(8, ${shareGoneWrong(
                rate('returnit_http_slow_requests_total', 'http_route, plugin', plugins),
                rate(`${requests}_count`, 'http_route, plugin', plugins),
              )})`,
              legend: '{{plugin}} {{http_route}}',
            },
          ],
          limits: { warning: t.slowRequests.value },
          min: 0,
          alerts: ['SlowRequests'],
        },
        {
          id: 4,
          title: 'Duration by plugin, p99',
          question: "How long does the slowest hundredth of each plugin's requests take?",
          unit: 's',
          queries: [{ expr: quantile(0.99, requests, { by: 'plugin', matchers: plugins }), legend: '{{plugin}}' }],
          limits: { warning: t.slowRequestMs.value / 1000 },
          min: 0,
        },
        {
          id: 5,
          title: 'Slowest routes, p95',
          question: 'Which routes are slow?',
          unit: 's',
          queries: [
            {
              expr: `topk(8, ${quantile(0.95, requests, { by: 'http_request_method, http_route', matchers: plugins })})`,
              legend: '{{http_request_method}} {{http_route}}',
            },
          ],
          min: 0,
        },
        {
          id: 6,
          title: 'Busiest routes',
          question: 'Which routes are asked most?',
          unit: 'reqps',
          queries: [
            {
              expr: `topk(8, ${rate(`${requests}_count`, 'http_request_method, http_route', plugins)})`,
              legend: '{{http_request_method}} {{http_route}}',
            },
          ],
          min: 0,
        },
        {
          id: 7,
          title: 'Requests being handled',
          question: 'Do requests pile up? It grows when something behind them is slow.',
          unit: 'short',
          kind: 'stacked',
          queries: [
            {
              expr: `sum by (http_request_method) (http_server_active_requests{${nodes}})`,
              legend: '{{http_request_method}}',
            },
          ],
        },
        {
          id: 8,
          title: 'Connections',
          question: 'How many connections are open, of how many that may be?',
          unit: 'short',
          queries: [
            { expr: `sum(returnit_http_connections{${nodes}})`, legend: 'open' },
            { expr: `sum(returnit_http_connections_max{${nodes}})`, legend: 'allowed' },
          ],
          min: 0,
        },
        {
          id: 16,
          title: 'Size of answers, p95',
          question: 'Which routes answer much? Of streams what was sent of them.',
          unit: 'bytes',
          queries: [
            {
              expr: `topk(8, ${quantile(0.95, 'http_server_response_body_size_bytes', { by: 'http_route, plugin', matchers: plugins })})`,
              legend: '{{plugin}} {{http_route}}',
            },
          ],
          min: 0,
        },
        {
          id: 9,
          title: 'Streams and uploads',
          question: 'How do streamed answers and uploads end, by plugin?',
          unit: 'ops',
          queries: [
            {
              expr: rate('returnit_http_streams_total', 'plugin, outcome', plugins),
              legend: '{{plugin}} answer {{outcome}}',
            },
            {
              expr: rate('returnit_http_uploads_total', 'plugin, outcome', plugins),
              legend: '{{plugin}} upload {{outcome}}',
            },
          ],
          min: 0,
        },
      ],
    },
    {
      title: 'Callers',
      panels: [
        {
          id: 10,
          title: 'Rate limited',
          question: 'Who is answered 429, by limit? Budgets are those of partners.',
          unit: 'reqps',
          queries: [{ expr: rate('returnit_http_rate_limited_total', 'policy'), legend: '{{policy}}' }],
          min: 0,
        },
        {
          id: 11,
          title: 'API keys',
          question: 'Are keys accepted, and if not, why? Many refusals: somebody guesses, or a rotation was missed.',
          unit: 'reqps',
          queries: [{ expr: rate('returnit_http_api_key_authentications_total', 'outcome'), legend: '{{outcome}}' }],
          min: 0,
        },
        {
          id: 12,
          title: 'Repeated requests',
          question:
            'What becomes of requests with an Idempotency-Key? Replays are answers that did not reach the caller.',
          unit: 'reqps',
          queries: [{ expr: rate('returnit_http_idempotent_requests_total', 'outcome'), legend: '{{outcome}}' }],
          min: 0,
        },
      ],
    },
    {
      title: 'What it leans on',
      panels: [
        {
          id: 13,
          title: 'Outgoing requests',
          question: 'Which providers do plugins ask, and how do they answer?',
          unit: 'reqps',
          queries: [
            {
              expr: rate(`${client}_count`, 'plugin, server_address, http_response_status_code', plugins),
              legend: '{{plugin}} {{server_address}} {{http_response_status_code}}',
            },
          ],
          min: 0,
        },
        {
          id: 14,
          title: 'Outgoing requests, p95',
          question: 'How long do providers take?',
          unit: 's',
          queries: [
            {
              expr: quantile(0.95, client, { by: 'plugin, server_address', matchers: plugins }),
              legend: '{{plugin}} {{server_address}}',
            },
          ],
          min: 0,
        },
        {
          id: 15,
          title: 'Cache hits',
          question: 'What share of look-ups do the caches answer?',
          unit: 'percentunit',
          queries: [
            {
              expr: share(
                `sum by (cache) (rate(returnit_cache_requests_total{${nodes},result="hit"}[$__rate_interval]))`,
                rate('returnit_cache_requests_total', 'cache'),
              ),
              legend: '{{cache}}',
            },
          ],
          min: 0,
          max: 1,
        },
        {
          id: 17,
          title: 'Caches, of what they may keep',
          question:
            'Are caches full? By the bytes that their limits count. Full, and few hits: larger ones would help.',
          unit: 'percentunit',
          queries: [
            {
              expr: `sum by (cache) (returnit_cache_size_bytes{${nodes}}) / sum by (cache) (returnit_cache_max_bytes{${nodes}})`,
              legend: '{{cache}}',
            },
          ],
          min: 0,
        },
      ],
    },
  ],
};
