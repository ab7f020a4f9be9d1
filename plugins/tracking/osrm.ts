import type { Place } from './distance.ts';
import type { Route, RoutingEngine } from './routing.ts';

export interface OsrmOptions {
  /** `https://osrm.example:5000`, with or without a path. */
  readonly url: URL;
  readonly timeoutMs: number;
  /** @default the global one, which asks for the `net` permission */
  readonly fetch?: typeof globalThis.fetch;
}

const secondsMax = 30 * 86_400;
/** About a metre: no engine knows where a driver stands better than that. */
const digits = 5;

/** OSRM's HTTP API, service `route`, profile `driving`. */
export function createOsrm({ url, timeoutMs, fetch = globalThis.fetch }: OsrmOptions): RoutingEngine {
  const base = `${url.origin}${url.pathname.replace(/\/+$/, '')}/route/v1/driving/`;
  return {
    name: 'osrm',
    async route(from, to) {
      const signal = AbortSignal.timeout(timeoutMs);
      try {
        const response = await fetch(`${base}${toText(from)};${toText(to)}?overview=false`, {
          signal,
          redirect: 'error',
        });
        return readAnswer(response.status, await response.json().catch(() => undefined));
      } catch {
        // Its message may hold the URL, and with it two places. What happened is told by the outcome.
        return { kind: 'failed', reason: signal.aborted ? 'timeout' : 'unreachable' };
      }
    },
  };
}

/** Longitude first, as OSRM has it. */
const toText = ({ lat, lon }: Place): string => `${lon.toFixed(digits)},${lat.toFixed(digits)}`;

/** `{"code": "Ok", "routes": [{"duration": 271.4, …}]}`; `NoRoute` and `NoSegment` are answers, with status 400. */
function readAnswer(status: number, body: unknown): Route {
  const { code, routes } = (body ?? {}) as { readonly code?: unknown; readonly routes?: unknown };
  if (code === 'NoRoute' || code === 'NoSegment') return { kind: 'none' };
  if (status !== 200) return { kind: 'failed', reason: 'refused' };
  const first: unknown = Array.isArray(routes) ? routes[0] : undefined;
  const seconds = (first as { readonly duration?: unknown } | undefined)?.duration;
  const isRight = code === 'Ok' && typeof seconds === 'number' && seconds >= 0 && seconds <= secondsMax;
  return isRight ? { kind: 'route', seconds } : { kind: 'failed', reason: 'answer' };
}
