import { performance } from 'node:perf_hooks';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import type { Config } from '#core/config/settings.ts';
import { toMethodLabel } from '#core/telemetry/http-method.ts';
import { OpenSpan, recordError, type OpenSpanOptions } from '#core/telemetry/open-span.ts';
import type { Metrics } from '#core/telemetry/metrics.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { createActiveUsers } from './active-users.ts';
import type { HttpContext } from './http-context.ts';
import { RequestKind, unmatched } from './request-kind.ts';
import { createRequestLog } from './request-log.ts';
import type { RouteMatch, RouteTable } from './route-table.ts';
import type { RouteRoles } from './route.ts';

export interface RequestTelemetryOptions {
  readonly telemetry: Telemetry;
  readonly routes: Pick<RouteTable, 'match' | 'list' | 'version'>;
  readonly config: Pick<Config, 'httpSlowRequestMs' | 'httpActiveUserMs'>;
}

/** RFC 9110 has no status for a client that went away; nginx's is the one that operators know. */
const abortedStatus = 499;

/** Span, metrics and log of one request: of its end, one of two, it is told. */
export interface ObservedRequest {
  /** Runs `fn` and what it starts in the request's span. */
  run<T>(fn: () => T): T;
  /** The same for `fn` that neither waits nor starts what does, which costs less. */
  runAtOnce<T>(fn: () => T): T;
  /** It was answered, or its client has gone. */
  answered(ctx: HttpContext): void;
  /** What should have answered it threw. */
  failed(error: unknown): void;
}

export type ObserveRequest = (ctx: HttpContext) => ObservedRequest;

type Finish = (ctx: HttpContext, open: RequestSpan) => void;

/** Finds the route of a request, and observes it from then on, whatever becomes of it. */
export function createRequestTelemetry(options: RequestTelemetryOptions): ObserveRequest {
  const { telemetry, routes } = options;
  const kindOf = createKinds(telemetry.metrics);
  const finish = createFinish(options);
  beginCounting(options);
  return (ctx) => {
    // Of the request itself: Koa's own `ctx.method` and `ctx.status` look for their names in two objects each time.
    const { method = '', headers } = ctx.req;
    const match = routes.match(method, ctx.path);
    const open = new RequestSpan(kindOf(method, match), toSpanOptions(match, headers['traceparent']), finish);
    ctx.state.match = match;
    ctx.state.id = open.span.spanContext().traceId;
    return open;
  };
}

class RequestSpan extends OpenSpan implements ObservedRequest {
  readonly kind: RequestKind;
  readonly #finish: Finish;

  constructor(kind: RequestKind, options: OpenSpanOptions, finish: Finish) {
    super(kind.spanName, options);
    this.kind = kind;
    this.#finish = finish;
    kind.active.add(1);
  }

  answered(ctx: HttpContext): void {
    this.#finish(ctx, this);
    this.kind.active.add(-1);
  }

  failed(error: unknown): void {
    this.span.setAttributes(this.kind.attributes);
    recordError(this.span, error);
    this.end(performance.now());
    this.kind.active.add(-1);
  }
}

/** A route keeps what its requests are called, which have its verb, or HEAD; others are few. */
function createKinds(metrics: Metrics): (method: string, match: RouteMatch) => RequestKind {
  const series = {
    active: metrics.gauge('http_server_active_requests'),
    durations: metrics.histogram('http_server_request_duration_seconds'),
    bodies: metrics.histogram('http_server_response_body_size_bytes'),
  };
  return (method, match) => {
    if (match.kind !== 'found') {
      const template = match.kind === 'none' ? unmatched : match.template;
      return new RequestKind(toMethodLabel(method), { template, plugin: 'core' }, series);
    }
    const { path, owner, requestKinds } = match.route;
    let kind = requestKinds.get(method);
    if (kind === undefined) {
      kind = new RequestKind(toMethodLabel(method), { template: path.template, plugin: owner.name }, series);
      requestKinds.set(method, kind);
    }
    return kind;
  };
}

const server: OpenSpanOptions = { kind: SpanKind.SERVER };

/**
 * A caller's trace is continued; what is not a traceparent begins a new one. A driver's phone is linked to and never
 * continued, whatever it says: a request to a route of theirs has a trace of its own.
 */
function toSpanOptions(match: RouteMatch, traceparent: unknown): OpenSpanOptions {
  if (typeof traceparent !== 'string') return server;
  const isOfDevices = match.kind === 'found' && isForDevices(match.route.roles);
  return isOfDevices ? { ...server, links: [traceparent] } : { ...server, parent: traceparent };
}

/** Ops may do by hand what a driver's phone does. */
function isForDevices(roles: RouteRoles): boolean {
  if (typeof roles === 'string') return roles === 'device';
  return roles.includes('driver') && roles.every((role) => role === 'driver' || role === 'ops');
}

function createFinish({ telemetry: { metrics, logger }, config }: RequestTelemetryOptions): Finish {
  const slow = metrics.counter('returnit_http_slow_requests_total');
  const failed = metrics.counter('returnit_http_failed_requests_total');
  const log = createRequestLog(logger, config);
  const users = createActiveUsers({ withinMs: config.httpActiveUserMs });
  const active = metrics.gauge('returnit_http_active_users');
  metrics.onCollect(() => active.set({}, users.count(performance.now())));
  return (ctx, open) => {
    const { state } = ctx;
    const { kind, span, startedAtMs } = open;
    const status = state.isAborted && !state.isCut ? abortedStatus : ctx.res.statusCode;
    const errorType = errorTypeOf(ctx, status);
    const { duration, attributes } = kind.outcome(status, errorType);
    span.setAttributes(attributes);
    if (errorType !== '') span.setStatus({ code: SpanStatusCode.ERROR, message: errorType });
    const nowMs = performance.now();
    const durationMs = nowMs - startedAtMs;
    duration.observe(durationMs / 1000, span);
    if (state.sentBytes !== undefined) kind.bodySize.observe(state.sentBytes);
    const { principal } = state as Partial<HttpContext['state']>;
    if (principal !== undefined) users.saw(principal, nowMs);
    const { streamBeganAtMs } = state;
    // The rest of a stream's time is its reader's.
    const waitedMs = (streamBeganAtMs ?? nowMs) - startedAtMs;
    const isSlow = waitedMs > config.httpSlowRequestMs;
    if (isSlow) slow.inc(kind.routeLabels);
    if (status >= 500) failed.inc(kind.routeLabels);
    log(ctx, { open, kind, status, durationMs, isSlow });
    open.end(nowMs, waitedMs);
  };
}

/** Each route's failures and slow requests begin at 0, since an increase does not show what a series begins with. */
function beginCounting({ telemetry: { metrics }, routes }: RequestTelemetryOptions): void {
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

/** The code where the core failed, the status where a plugin says so: its own codes are no bounded set. */
function errorTypeOf(ctx: HttpContext, status: number): string {
  if (status < 499 && !ctx.state.isCut) return '';
  return ctx.state.errorCode ?? (status === abortedStatus ? 'CANCELLED' : String(status));
}
