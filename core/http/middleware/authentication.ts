import type { Principal } from '#plugin-api';
import { AppError } from '#core/errors/app-error.ts';
import type { Authenticator } from '../authentication.ts';
import { isApiKey, type ApiKeys } from '../api-keys/api-keys.ts';
import type { Metrics } from '#core/telemetry/metrics.ts';
import type { HttpContext, HttpStep } from '../http-context.ts';
import { RequestRefusal } from '../request-refusal.ts';
import { assertScope, createApiKeyAdmission } from './api-key.ts';
import { createDeviceAdmission, type DeviceAuthenticationOptions } from './device-authentication.ts';

const anonymous: Principal = Object.freeze({ id: 'anonymous', role: 'anonymous' });
const bearer = /^Bearer +([A-Za-z0-9._~+/-]+=*) *$/i;
const realm = 'Bearer realm="returnit"';

export interface AuthenticationOptions extends Omit<DeviceAuthenticationOptions, 'attempts'> {
  readonly authenticator: Pick<Authenticator, 'remembered' | 'verify'>;
  readonly metrics: Metrics;
  /** @default none are taken */
  readonly apiKeys?: ApiKeys | undefined;
}

/** Who calls, and whether the route is for them. A token that is sent must be valid, on public routes as well. */
export function authentication({ authenticator, metrics, apiKeys, ...devices }: AuthenticationOptions): HttpStep {
  const attempts = metrics.counter('returnit_http_device_authentications_total');
  const admitDevice = createDeviceAdmission({ ...devices, attempts });
  const admitKey =
    apiKeys === undefined ? undefined : createApiKeyAdmission({ apiKeys, trustedProxies: devices.trustedProxies });

  return (ctx) => {
    if (ctx.state.route.roles === 'device') {
      return async () => {
        ctx.state.principal = await admitDevice(ctx);
        return undefined;
      };
    }
    const header = ctx.req.headers.authorization;
    if (header === undefined) return admit(ctx, anonymous);
    const token = bearer.exec(header)?.[1];
    if (token === undefined)
      throw unauthenticated('Cannot accept the header "Authorization": it must be "Bearer <token>"', 'invalid_request');
    if (admitKey !== undefined && isApiKey(token)) return async () => admit(ctx, await admitKey(ctx, token));
    const known = authenticator.remembered(token);
    return known === undefined ? async () => admit(ctx, await verifyToken(authenticator, token)) : admit(ctx, known);
  };
}

/** @throws {AppError} UNAUTHENTICATED, FORBIDDEN, API_KEY_SCOPE_MISSING where the route is not for them */
function admit(ctx: HttpContext, principal: Principal): undefined {
  const { roles, name } = ctx.state.route;
  if (roles !== 'public' && principal.role === 'anonymous') {
    throw new RequestRefusal(
      'UNAUTHENTICATED',
      `Cannot ${name} without a token: send "Authorization: Bearer <token>"`,
      {
        headers: { 'www-authenticate': realm },
      },
    );
  }
  // Also of who is refused: log and figures say who has asked.
  ctx.state.principal = principal;
  if (typeof roles === 'string') return;
  if (!roles.some((role) => role === principal.role))
    throw new RequestRefusal('FORBIDDEN', `Cannot ${name} as ${principal.role}: it is for ${roles.join(', ')}`);
  assertScope(ctx);
}

async function verifyToken(authenticator: Pick<Authenticator, 'verify'>, token: string): Promise<Principal> {
  try {
    return await authenticator.verify(token);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    if (error.code === 'AUTHENTICATION_UNAVAILABLE') {
      throw new RequestRefusal(error.code, error.message, { headers: { 'retry-after': '5' }, cause: error });
    }
    throw unauthenticated(error.message, 'invalid_token', error);
  }
}

function unauthenticated(message: string, reason: string, cause?: unknown): RequestRefusal {
  // RFC 6750 §3: the description holds no quotes or backslashes.
  const description = message.replace(/["\\]/g, "'").replace(/[^\x20-\x7e]/g, '?');
  return new RequestRefusal('UNAUTHENTICATED', message, {
    headers: { 'www-authenticate': `${realm}, error="${reason}", error_description="${description}"` },
    ...(cause === undefined ? {} : { cause }),
  });
}
