import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import type { Config } from '#core/config/settings.ts';
import { toMethodLabel } from '#core/telemetry/http-method.ts';
import type { Labels } from '#core/telemetry/metrics.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { withSpan } from '#core/telemetry/tracing.ts';
import { createActiveUsers } from '../active-users.ts';
import type { HttpContext, HttpMiddleware } from '../http-context.ts';
import { createRequestLog, type FinishedRequest } from '../request-log.ts';
import type { RouteMatch, RouteTable } from '../route-table.ts';
import type { RouteRoles } from '../route.ts';

export interface HttpTelemetryOptions {
  readonly telemetry: Telemetry;
  readonly routes: Pick<RouteTable, 'match' | 'list' | 'version'>;
  readonly config: Pick<Config, 'httpSlowRequestMs' | 'httpActiveUserMs'>;
}

const unmatched = '__unmatched__';
/** RFC 9110 has no status for a client that went away; nginx's is the one that operators know. */
const abortedStatus = 499;

/**
 * Span, metrics and log of every request, whatever becomes of it. Names and labels hold the route's template only: a raw
 * path is an endless set of values, and may hold what does not belong into metrics.
 */
export function httpTelemetry(options: HttpTelemetryOptions): HttpMiddleware {
  const { telemetry, routes } = options;
  const active = telemetry.metrics.gauge('http_server_active_requests');
  const finish = createFinish(options);
  beginCounting(options);
  return async (ctx, next) => {
    const startMs = performance.now();
    const { path } = ctx;
    const method = toMethodLabel(ctx.method);
    const match = routes.match(ctx.method, path);
    const template = templateOf(match);
    const { traceparent: inbound } = ctx.req.headers;
    const isActive = activeLabels(method);
    ctx.state.match = match;
    active.add(isActive, 1);
    try {
      await withSpan(
        match.kind === 'none' ? method : `${method} ${template}`,
        {
          kind: SpanKind.SERVER,
          attributes: {
            'http.request.method': method,
            'http.route': template,
            'url.scheme': 'http',
            'returnit.plugin': ownerOf(ctx),
          },
          ...(typeof inbound === 'string' ? callersTrace(match, inbound) : {}),
          waitedMs: () => (ctx.state.streamBeganAtMs === undefined ? undefined : ctx.state.streamBeganAtMs - startMs),
        },
        async (span) => {
          ctx.state.id = span.spanContext().traceId;
          await next();
          const status = ctx.state.isAborted && !ctx.state.isCut ? abortedStatus : ctx.status;
          span.setAttribute('http.response.status_code', status);
          const errorType = errorTypeOf(ctx, status);
          if (errorType !== '') {
            span.setAttribute('error.type', errorType);
            span.setStatus({ code: SpanStatusCode.ERROR, message: errorType });
          }
          const endMs = performance.now();
          const answeredMs = (ctx.state.streamBeganAtMs ?? endMs) - startMs;
          finish(ctx, { method, template, status, errorType, durationMs: endMs - startMs, answeredMs });
        },
      );
    } finally {
      active.add(isActive, -1);
    }
  };
}

/**
 * A caller's trace is continued; what is not a traceparent begins a new one. A driver's phone is linked to and never
 * continued, whatever it says: a request to a route of theirs has a trace of its own.
 */
function callersTrace(match: RouteMatch, traceparent: string): { parent: string } | { links: readonly string[] } {
  const isOfDevices = match.kind === 'found' && isForDevices(match.route.roles);
  return isOfDevices ? { links: [traceparent] } : { parent: traceparent };
}

/** Ops may do by hand what a driver's phone does. */
function isForDevices(roles: RouteRoles): boolean {
  if (typeof roles === 'string') return roles === 'device';
  return roles.includes('driver') && roles.every((role) => role === 'driver' || role === 'ops');
}

function createFinish(options: HttpTelemetryOptions): (ctx: HttpContext, finished: FinishedRequest) => void {
  const { telemetry, config } = options;
  const durations = telemetry.metrics.histogram('http_server_request_duration_seconds');
  const bodies = telemetry.metrics.histogram('http_server_response_body_size_bytes');
  const slow = telemetry.metrics.counter('returnit_http_slow_requests_total');
  const failed = telemetry.metrics.counter('returnit_http_failed_requests_total');
  const log = createRequestLog(telemetry.logger, config);
  const users = createActiveUsers({ withinMs: config.httpActiveUserMs });
  const active = telemetry.metrics.gauge('returnit_http_active_users');
  telemetry.metrics.onCollect(() => active.set({}, users.count(performance.now())));
  return (ctx, finished) => {
    durations.observe(durationLabels(ctx, finished), finished.durationMs / 1000);
    const { sentBytes } = ctx.state;
    if (sentBytes !== undefined) bodies.observe(routeLabels(ctx, finished.template), sentBytes);
    const { principal } = ctx.state as Partial<HttpContext['state']>;
    if (principal !== undefined) users.saw(principal, performance.now());
    const isSlow = finished.answeredMs > config.httpSlowRequestMs;
    if (isSlow) slow.inc(routeLabels(ctx, finished.template));
    if (finished.status >= 500) failed.inc(routeLabels(ctx, finished.template));
    log(ctx, { ...finished, isSlow, plugin: ownerOf(ctx) });
  };
}

/** Each route's failures and slow requests begin at 0, since an increase does not show what a series begins with. */
function beginCounting({ telemetry: { metrics }, routes }: HttpTelemetryOptions): void {
  const counters = ['failed', 'slow'].map((kind) => metrics.counter(`returnit_http_${kind}_requests_total`));
  let shown: number | undefined;
  metrics.onCollect(() => {
    if (routes.version === shown) return;
    shown = routes.version;
    const labels = routes.list().map(({ path, owner }) => ({ http_route: path.template, plugin: owner.name }));
    for (const set of [...labels, { http_route: unmatched, plugin: 'core' }])
      for (const counter of counters) counter.inc(set, 0);
  });
}

function durationLabels(ctx: HttpContext, { method, template, status, errorType }: FinishedRequest): Labels {
  return knownLabels(ctx, `${method} ${status} ${errorType}`, () => ({
    http_request_method: method,
    http_route: template,
    http_response_status_code: String(status),
    error_type: errorType,
    plugin: ownerOf(ctx),
  }));
}

const routeLabels = (ctx: HttpContext, template: string): Labels =>
  knownLabels(ctx, 'route', () => ({ http_route: template, plugin: ownerOf(ctx) }));

/** Made once for each route: a series is found more quickly by labels that it has seen. */
function knownLabels({ state: { match } }: HttpContext, key: string, create: () => Labels): Labels {
  return match.kind === 'found' ? match.route.labels.getOrInsertComputed(key, create) : create();
}

/** The code where the core failed, the status where a plugin says so: its own codes are no bounded set. */
function errorTypeOf(ctx: HttpContext, status: number): string {
  if (status < 499 && !ctx.state.isCut) return '';
  return ctx.state.errorCode ?? (status === abortedStatus ? 'CANCELLED' : String(status));
}

function templateOf(match: RouteMatch): string {
  if (match.kind === 'found') return match.route.path.template;
  return match.kind === 'other-verb' ? match.template : unmatched;
}

function ownerOf(ctx: HttpContext): string {
  const { match } = ctx.state;
  return match.kind === 'found' ? match.route.owner.name : 'core';
}

const methodLabels = new Map<string, Labels>();

function activeLabels(method: string): Labels {
  let labels = methodLabels.get(method);
  if (labels === undefined) {
    labels = { http_request_method: method };
    methodLabels.set(method, labels);
  }
  return labels;
}
