import { INVALID_TRACEID } from '@opentelemetry/api';
import type { ObservedRequest, ObserveRequest, RequestTelemetryOptions } from '#core/http/request-telemetry.ts';

const unobserved: ObservedRequest = {
  run: (fn) => fn(),
  runAtOnce: (fn) => fn(),
  answered: () => undefined,
  failed: () => undefined,
};

/** Finds the route, which is all that the steps behind it need of this. */
export function createRequestTelemetry({ routes }: Pick<RequestTelemetryOptions, 'routes'>): ObserveRequest {
  return (ctx) => {
    ctx.state.match = routes.match(ctx.req.method ?? '', ctx.path);
    ctx.state.id = INVALID_TRACEID;
    return unobserved;
  };
}
