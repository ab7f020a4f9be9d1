import { createEventCache, type EventCache } from '#core/cache/event-cache.ts';
import type { CacheRule } from '#core/cache/event-match.ts';
import type { Config } from '#core/config/settings.ts';
import type { Metrics } from '#core/telemetry/metrics.ts';
import type { Route, RouteRequest, RouteResponse } from './route.ts';

export type ResponseCache = EventCache<RouteResponse>;
/** An answer that is there, or what gets it. */
export type Answer = RouteResponse | (() => Promise<RouteResponse>);

export function createResponseCache(config: Config, metrics: Metrics): ResponseCache {
  return createEventCache({
    name: 'response',
    entriesMax: config.responseCacheEntriesMax,
    ttlMs: config.responseCacheTtlMs,
    maxBytes: config.responseCacheMaxBytes,
    valueMaxBytes: config.cacheValueMaxBytes,
    metrics,
  });
}

/**
 * Answers from the cache where the route allows it. The key has everything that the answer may depend on: who asks, with
 * all that is known of them, what they ask, and the headers that the handler is given.
 */
export function answerCached(
  cache: ResponseCache,
  run: (request: RouteRequest, route: Route) => Promise<RouteResponse>,
): (request: RouteRequest, route: Route) => Answer {
  return (request, route) => {
    const options = route.cache;
    if (options === undefined) return () => run(request, route);
    const plugin = route.owner.name;
    const headers = pick(request.headers, options.varyBy ?? []);
    const key = toKey(request, route, headers);
    const kept = cache.get(key, plugin);
    if (kept !== undefined) return kept;
    return async () => {
      const fill = cache.fill(key, { plugin, rule: toRule(request, options) });
      try {
        const response = await run({ ...request, headers }, route);
        if (isKept(response)) fill.store({ value: response, bytes: sizeOf(response), ttlMs: options.ttlMs });
        return response;
      } finally {
        fill.end();
      }
    };
  };
}

/**
 * All of the request but what is of this one alone: what a request comes to have besides is part of the key by itself. So
 * is the process that registered the route: a later version may answer in another form.
 */
function toKey(request: RouteRequest, route: Route, headers: RouteRequest['headers']): string {
  const { id: _id, signal: _signal, path: _path, body: _body, ...asked } = request;
  return JSON.stringify([route.owner.id, route.name, { ...asked, headers }]);
}

function toRule({ params, query }: RouteRequest, options: NonNullable<Route['cache']>): CacheRule {
  const { invalidatedBy, keyedBy: field } = options;
  if (field === undefined) return { invalidatedBy };
  const inputs = { ...(query as object), ...(params as object) } as Readonly<Record<string, unknown>>;
  const value = inputs[field];
  // An optional parameter that was not given: the answer is about all of them.
  return typeof value === 'string' ? { invalidatedBy, key: { field, value } } : { invalidatedBy };
}

/** No error, no stream, nothing that the plugin itself says how to keep, nothing that gives somebody a session. */
function isKept({ status, stream, text, headers = {} }: RouteResponse): boolean {
  return (
    status === 200 &&
    stream === undefined &&
    text !== undefined &&
    headers['cache-control'] === undefined &&
    headers['set-cookie'] === undefined
  );
}

function sizeOf({ text = '', headers = {} }: RouteResponse): number {
  return Buffer.byteLength(text) + JSON.stringify(headers).length;
}

function pick(headers: RouteRequest['headers'], names: readonly string[]): RouteRequest['headers'] {
  return Object.fromEntries(names.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]])));
}
