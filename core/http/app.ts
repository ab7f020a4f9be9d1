import Koa from 'koa';
import type { Config } from '#core/config/settings.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import type { ApiKeys } from './api-keys/api-keys.ts';
import type { Authenticator } from './authentication.ts';
import type { AuthenticateDevice } from './device-credentials.ts';
import type { HttpState } from './http-context.ts';
import type { Idempotency } from './idempotency/idempotency.ts';
import { idempotencyKey } from './idempotency/keyed-request.ts';
import type { Budgets } from './limits/budgets.ts';
import { rateLimits, type RateLimitConfig } from './limits/rate-limits.ts';
import { answering } from './middleware/answering.ts';
import { authentication } from './middleware/authentication.ts';
import { body, type BodyOptions } from './middleware/body.ts';
import { cancellation, type RequestInFlight } from './middleware/cancellation.ts';
import { response } from './middleware/response.ts';
import { routing } from './middleware/routing.ts';
import { validation } from './middleware/validation.ts';
import { createRequestTelemetry } from './request-telemetry.ts';
import type { ResponseCache } from './response-cache.ts';
import type { RouteTable } from './route-table.ts';

export interface HttpAppOptions {
  readonly config: RateLimitConfig &
    Pick<
      Config,
      | 'httpActiveUserMs'
      | 'httpSlowRequestMs'
      | 'httpStreamMaxBytes'
      | 'httpStreamStallMs'
      | 'httpStreamsPerPluginMax'
      | 'httpTrustedProxies'
      | 'pluginRestartDelayMs'
    > &
    BodyOptions['config'];
  readonly telemetry: Telemetry;
  readonly routes: RouteTable;
  readonly authenticator: Pick<Authenticator, 'remembered' | 'verify'>;
  readonly authenticateDevice: AuthenticateDevice;
  readonly responseCache: ResponseCache;
  /** @default none are taken */
  readonly apiKeys?: ApiKeys | undefined;
  /** @default partners have no budgets */
  readonly budgets?: Budgets | undefined;
  /** @default a key is handed over, and nothing is kept */
  readonly idempotency?: Idempotency | undefined;
  /** Requests being answered: aborting one cancels what is done for it. */
  readonly inFlight: Set<RequestInFlight>;
}

/** The order is the policy: measured before all, refused as early and as cheaply as can be, nothing read for a caller who may not. */
export function createHttpApp(options: HttpAppOptions): Koa<HttpState> {
  const { config, telemetry, routes } = options;
  const logger = telemetry.logger.child({ component: 'http' });
  const app = new Koa<HttpState>();
  app.use(
    answering(createRequestTelemetry({ telemetry, routes, config }), [
      routing(Math.ceil(config.pluginRestartDelayMs / 1000)),
      authentication({
        authenticator: options.authenticator,
        authenticateDevice: options.authenticateDevice,
        metrics: telemetry.metrics,
        apiKeys: options.apiKeys,
        trustedProxies: config.httpTrustedProxies,
      }),
      rateLimits({ config, metrics: telemetry.metrics, budgets: options.budgets }),
      idempotencyKey,
      cancellation(options.inFlight),
      body(options),
      validation(),
      response(options),
    ]),
  );
  app.on('error', (error: unknown) => logger.error({ err: error }, 'Request failed outside its middleware'));
  return app;
}
