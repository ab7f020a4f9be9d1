import type { Principal } from '#plugin-api';
import type { Counter } from '#core/telemetry/metrics.ts';
import { clientAddress } from '../client-address.ts';
import { parseBasic, splitQuery, type AuthenticateDevice, type DeviceCredentials } from '../device-credentials.ts';
import type { HttpContext } from '../http-context.ts';
import { RequestRefusal } from '../request-refusal.ts';

export interface DeviceAuthenticationOptions {
  readonly authenticateDevice: AuthenticateDevice;
  readonly attempts: Counter;
  /** Addresses whose word on whom they forward is taken. */
  readonly trustedProxies: readonly string[];
}

const challenge = 'Basic realm="returnit devices", charset="UTF-8"';
/** As long as a window of the failure limit. */
const limitedRetrySeconds = 60;
/** A server that crashed is started again within seconds. */
const databaseRetrySeconds = 5;

/**
 * Who calls a device's route. Unknown, wrong and revoked are one answer: it tells a stranger nothing of which user names
 * exist. A device keeps what it has queued through every one of these answers.
 */
export function createDeviceAdmission(options: DeviceAuthenticationOptions): (ctx: HttpContext) => Promise<Principal> {
  const { attempts } = options;

  async function check(ctx: HttpContext, credentials: DeviceCredentials): ReturnType<AuthenticateDevice> {
    const address = clientAddress(ctx.req, options.trustedProxies);
    try {
      return await options.authenticateDevice({ ...credentials, address });
    } catch (error) {
      attempts.inc({ outcome: 'error' });
      const message = `Cannot ${ctx.state.route.name}: the device's credentials cannot be looked up`;
      const headers = { 'retry-after': String(databaseRetrySeconds) };
      throw new RequestRefusal('DATABASE_UNREACHABLE', message, { headers, cause: error });
    }
  }

  return async (ctx) => {
    const credentials = takeCredentials(ctx);
    if (credentials === undefined) {
      attempts.inc({ outcome: 'no-credentials' });
      throw unauthenticated(`Cannot ${ctx.state.route.name} without a device's credentials: send them by HTTP Basic`);
    }
    const result = await check(ctx, credentials);
    if ('principal' in result) {
      attempts.inc({ outcome: 'accepted' });
      return result.principal;
    }
    attempts.inc({ outcome: result.failure });
    if (result.failure !== 'rate-limited') throw unauthenticated('Cannot accept the credentials: they are not valid');
    throw new RequestRefusal('TOO_MANY_FAILURES', 'Cannot check the credentials: this address failed too often', {
      headers: { 'retry-after': String(limitedRetrySeconds) },
    });
  };
}

/** The header's, or else the query's; out of the query they are taken in any case. */
function takeCredentials(ctx: HttpContext): DeviceCredentials | undefined {
  const { authorization } = ctx.req.headers;
  const inHeader = authorization === undefined ? undefined : parseBasic(authorization);
  if (!ctx.state.route.credentialsInQuery) return inHeader;
  const { credentials, rest } = splitQuery(ctx.querystring);
  if (rest !== ctx.querystring) ctx.querystring = rest;
  return authorization === undefined ? credentials : inHeader;
}

function unauthenticated(message: string): RequestRefusal {
  return new RequestRefusal('UNAUTHENTICATED', message, { headers: { 'www-authenticate': challenge } });
}
