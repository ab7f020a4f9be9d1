import { INVALID_TRACEID } from '@opentelemetry/api';
import type { HttpMiddleware } from '#core/http/http-context.ts';
import type { HttpTelemetryOptions } from '#core/http/middleware/telemetry.ts';

/** Finds the route, which is all that the middlewares behind it need of this one. */
export function httpTelemetry({ routes }: Pick<HttpTelemetryOptions, 'routes'>): HttpMiddleware {
  return (ctx, next) => {
    ctx.state.match = routes.match(ctx.req.method ?? '', ctx.path);
    ctx.state.id = INVALID_TRACEID;
    return next();
  };
}
