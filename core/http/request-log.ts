import type { Config } from '#core/config/settings.ts';
import type { Logger } from '#core/telemetry/logger.ts';
import type { OpenSpan } from '#core/telemetry/open-span.ts';
import { idsOf, toLoggedMs, wideEvent } from '#core/telemetry/wide-event.ts';
import type { HttpContext } from './http-context.ts';
import type { RequestKind } from './request-kind.ts';

export interface FinishedRequest {
  readonly open: OpenSpan;
  readonly kind: RequestKind;
  readonly status: number;
  readonly durationMs: number;
  /** Its answer, or the first piece of that, took longer than HTTP_SLOW_REQUEST_MS. */
  readonly isSlow: boolean;
}

type Level = 'debug' | 'warn' | 'error';

/**
 * One line a request, written in its span: with the trace id that its caller was told. At the rates this is made for,
 * what went well and what a client did wrong would fill the log in minutes, and metrics and traces have it: it is written
 * for whoever asks, by the level `debug` of the plugin that answers.
 */
export function createRequestLog(
  logger: Logger,
  { httpSlowRequestMs }: Pick<Config, 'httpSlowRequestMs'>,
): (ctx: HttpContext, request: FinishedRequest) => void {
  const loggers = new Map<string, Logger>();
  /** The core and its plugins are few, and a logger of its own asks for the plugin's level. */
  const loggerOf = (plugin: string): Logger =>
    loggers.getOrInsertComputed(plugin, () => logger.child({ component: 'http', plugin }));
  return (ctx, request) => {
    const level = levelOf(ctx, request);
    const log = loggerOf(request.kind.plugin);
    if (!log.isLevelEnabled(level)) return;
    request.open.runAtOnce(() =>
      log[level](wideEvent(toFields(ctx, request)), messageOf(ctx, request, httpSlowRequestMs)),
    );
  };
}

function levelOf({ state }: HttpContext, { status, isSlow }: FinishedRequest): Level {
  if (state.failure !== undefined) return state.failure.isTemporary ? 'warn' : 'error';
  return isSlow || status >= 500 ? 'warn' : 'debug';
}

function messageOf({ state }: HttpContext, { status, isSlow }: FinishedRequest, slowMs: number): string {
  if (state.isCut) return 'Stream cut off';
  if (state.failure !== undefined || status >= 500) return 'Request failed';
  return isSlow ? `Slow request: over ${slowMs} ms` : 'Request';
}

function toFields({ state }: HttpContext, request: FinishedRequest): Readonly<Record<string, unknown>> {
  const { principal, errorCode, failure, idempotencyKey } = state as Partial<HttpContext['state']>;
  return {
    method: request.kind.method,
    route: request.kind.template,
    status: request.status,
    durationMs: toLoggedMs(request.durationMs),
    ...(request.isSlow ? { slow: true } : {}),
    ...(principal === undefined ? {} : { principalKind: principal.role, principal: principal.id }),
    ...(idempotencyKey === undefined ? {} : { idempotent: true }),
    ...checkedIds(state),
    ...(errorCode === undefined ? {} : { code: errorCode }),
    ...(failure === undefined ? {} : { err: failure.error }),
  };
}

/** Of what the route's schemas have accepted: all else is a text of the client's choice. */
function checkedIds({ match, params, query, body }: HttpContext['state']): Readonly<Record<string, string>> {
  if (match.kind !== 'found') return {};
  const { route } = match;
  return {
    ...(route.body?.matches(body) === true ? idsOf(body) : {}),
    ...(route.query?.matches(query) === true ? idsOf(query) : {}),
    ...(route.params?.matches(params) === true ? idsOf(params) : {}),
  };
}
