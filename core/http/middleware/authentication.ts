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
  readonly authenticator: Pick<Authenticator, 'verify'>;
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

  async function verify(ctx: HttpContext, header: string): Promise<Principal> {
    const token = bearer.exec(header)?.[1];
    if (token === undefined)
      throw unauthenticated('Cannot accept the header "Authorization": it must be "Bearer <token>"', 'invalid_request');
    return admitKey !== undefined && isApiKey(token) ? admitKey(ctx, token) : verifyToken(authenticator, token);
  }

  return async (ctx) => {
    const { route } = ctx.state;
    if (route.roles === 'device') {
      ctx.state.principal = await admitDevice(ctx);
      return undefined;
    }
    const header = ctx.req.headers.authorization;
    const principal = header === undefined ? anonymous : await verify(ctx, header);
    if (route.roles !== 'public' && principal.role === 'anonymous') {
      throw new RequestRefusal(
        'UNAUTHENTICATED',
        `Cannot ${route.name} without a token: send "Authorization: Bearer <token>"`,
        {
          headers: { 'www-authenticate': realm },
        },
      );
    }
    // Also of who is refused: log and figures say who has asked.
    ctx.state.principal = principal;
    if (route.roles === 'public') return undefined;
    if (!route.roles.some((role) => role === principal.role)) {
      throw new RequestRefusal(
        'FORBIDDEN',
        `Cannot ${route.name} as ${principal.role}: it is for ${route.roles.join(', ')}`,
      );
    }
    assertScope(ctx);
    return undefined;
  };
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
