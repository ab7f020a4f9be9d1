import { thresholds as t } from '#core/config/thresholds.ts';
import type { Alert } from './alert.ts';
import { counterCases } from './cases.ts';

const requests = 'http_server_request_duration_seconds_count';
const route = 'job="returnit",http_route="/orders",plugin="orders"';

/** What those who ask notice. */
export const http: readonly Alert[] = [
  {
    name: 'SlowRequests',
    expr: `sum by (job, http_route, plugin) (increase(returnit_http_slow_requests_total[5m]))
/ (sum by (job, http_route, plugin) (increase(${requests}[5m])) >= ${t.samples.value}) > ${t.slowRequests.value}`,
    for: '5m',
    severity: 'warning',
    type: 'symptom',
    plugin: '{{ $labels.plugin }}',
    summary: `Requests of a route take more than ${t.slowRequestMs.value} ms`,
    description: '{{ $value | humanizePercentage }} of the requests to {{ $labels.http_route }} are slow.',
    cases: counterCases({
      samples: (faulty) => ({
        [`returnit_http_slow_requests_total{${route}}`]: faulty(60),
        [`${requests}{${route},http_response_status_code="200"}`]: '0+64x60',
        // One of few is no share.
        'returnit_http_slow_requests_total{job="returnit",http_route="/seldom",plugin="orders"}': '0+1x60',
        [`${requests}{job="returnit",http_route="/seldom",plugin="orders",http_response_status_code="200"}`]: '0+2x60',
      }),
      fires: [
        {
          labels: { job: 'returnit', http_route: '/orders', plugin: 'orders', service: 'orders' },
          description: '12.5% of the requests to /orders are slow.',
        },
      ],
      high: 8,
      low: 0,
      limit: 0.5,
      window: 5,
      for: 5,
    }),
  },
  {
    name: 'RequestsFailing',
    expr: `plugin:http_server_requests_failed:ratio5m > ${t.failedRequests.value} and plugin:http_server_requests:increase5m >= ${t.samples.value}`,
    for: '5m',
    severity: 'critical',
    type: 'symptom',
    plugin: '{{ $labels.plugin }}',
    summary: "Requests to a plugin's routes fail",
    description: '{{ $value | humanizePercentage }} of the requests to {{ $labels.plugin }} were answered 5xx.',
    cases: counterCases({
      samples: (faulty) => ({
        [`returnit_http_failed_requests_total{${route}}`]: faulty(60),
        [`${requests}{${route},http_response_status_code="500"}`]: faulty(60),
        [`${requests}{${route},http_response_status_code="200"}`]: '0+48x60',
        // All of few is no share.
        'returnit_http_failed_requests_total{job="returnit",http_route="/seldom",plugin="webhooks"}': '0+3x60',
        [`${requests}{job="returnit",http_route="/seldom",plugin="webhooks",http_response_status_code="500"}`]:
          '0+3x60',
      }),
      fires: [
        {
          labels: { job: 'returnit', plugin: 'orders', service: 'orders' },
          description: '25% of the requests to orders were answered 5xx.',
        },
      ],
      high: 16,
      low: 0,
      limit: 2,
      window: 5,
      for: 5,
    }),
  },
];
