import { each, httpSeconds, type MetricDefinition } from './definition.ts';

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD', '_OTHER'];

export const httpMetrics: readonly MetricDefinition[] = [
  {
    name: 'http_server_request_duration_seconds',
    type: 'histogram',
    help: 'Duration of HTTP requests, by route template (`__unmatched__` when no route matched)',
    unit: 'seconds',
    labels: ['http_request_method', 'http_route', 'http_response_status_code', 'error_type', 'plugin'],
    buckets: httpSeconds,
    exemplars: true,
    partition: 'plugin',
    owner: 'http',
  },
  {
    name: 'http_server_active_requests',
    type: 'gauge',
    help: 'HTTP requests being handled',
    unit: 'requests',
    labels: ['http_request_method'],
    initial: each('http_request_method', methods),
    owner: 'http',
  },
  {
    name: 'returnit_http_slow_requests_total',
    type: 'counter',
    help: 'Requests slower than HTTP_SLOW_REQUEST_MS; each is logged with its trace id',
    unit: 'requests',
    labels: ['http_route', 'plugin'],
    partition: 'plugin',
    owner: 'http',
  },
  {
    name: 'returnit_http_connections',
    type: 'gauge',
    help: 'Open HTTP connections',
    unit: 'connections',
    labels: [],
    owner: 'http',
  },
  {
    name: 'returnit_http_connections_max',
    type: 'gauge',
    help: 'Open HTTP connections allowed (HTTP_CONNECTIONS_MAX)',
    unit: 'connections',
    labels: [],
    owner: 'http',
  },
  {
    name: 'http_client_request_duration_seconds',
    type: 'histogram',
    help: "Duration of the plugins' outgoing HTTP requests, redirects apart",
    unit: 'seconds',
    labels: ['plugin', 'http_request_method', 'server_address', 'http_response_status_code', 'error_type'],
    buckets: httpSeconds,
    exemplars: true,
    partition: 'plugin',
    owner: 'plugin-host',
  },
];
