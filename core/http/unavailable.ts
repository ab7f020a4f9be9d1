import { RequestRefusal } from './request-refusal.ts';
import type { Outage, Route } from './route.ts';

export interface UnavailableOptions {
  /** For the log. */
  readonly message: string;
  /** Where the plugin restarts by itself. */
  readonly retryAfterSeconds: number;
  readonly cause?: unknown;
}

/** The answer of a route whose process is gone: what its owner says of the outage, or that it restarts. */
export function unavailable(route: Route, { message, retryAfterSeconds, cause }: UnavailableOptions): RequestRefusal {
  const outage = route.owner.outage?.();
  return new RequestRefusal('PLUGIN_UNAVAILABLE', message, {
    headers: { 'retry-after': String(outage?.retryAfterSeconds ?? retryAfterSeconds) },
    ...(outage === undefined ? {} : { detail: outage.detail }),
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The answer of a path whose plugin has not registered its routes. */
export function absent(path: string, { detail, retryAfterSeconds }: Outage): RequestRefusal {
  return new RequestRefusal('PLUGIN_UNAVAILABLE', `Cannot answer "${path.slice(0, 200)}": ${detail}`, {
    headers: { 'retry-after': String(retryAfterSeconds) },
    detail,
  });
}
