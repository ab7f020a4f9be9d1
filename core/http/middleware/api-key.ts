import type { Principal } from '#plugin-api';
import { AppError } from '#core/errors/app-error.ts';
import type { ApiKeyFailure, ApiKeys } from '../api-keys/api-keys.ts';
import { coversScope, scopeOf } from '../api-keys/scopes.ts';
import { clientAddress } from '../client-address.ts';
import type { HttpContext } from '../http-context.ts';
import { RequestRefusal } from '../request-refusal.ts';

export interface ApiKeyAdmissionOptions {
  readonly apiKeys: ApiKeys;
  readonly trustedProxies: readonly string[];
}

const reasons: Readonly<Record<Exclude<ApiKeyFailure, 'rate-limited'>, string>> = {
  malformed: 'it is not well-formed',
  unknown: 'it is not valid',
  revoked: 'it is revoked',
  expired: 'it has expired',
};
/** As long as a window of the failure limit. */
const limitedRetrySeconds = 60;
/** A server that crashed is started again within seconds. */
const databaseRetrySeconds = 5;

/** Who calls with an API key. What the key may is asked of its scopes, when it is known that the route is for partners. */
export function createApiKeyAdmission(
  options: ApiKeyAdmissionOptions,
): (ctx: HttpContext, key: string) => Promise<Principal> {
  return async (ctx, key) => {
    const check = await lookUp(options, ctx, key);
    if ('principal' in check) {
      ctx.state.scopes = check.scopes;
      return check.principal;
    }
    if (check.failure === 'rate-limited') {
      throw new RequestRefusal('TOO_MANY_FAILURES', 'Cannot check the API key: this address failed too often', {
        headers: { 'retry-after': String(limitedRetrySeconds) },
      });
    }
    const message = `Cannot accept the API key: ${reasons[check.failure]}`;
    throw new RequestRefusal('UNAUTHENTICATED', message, {
      headers: { 'www-authenticate': `Bearer realm="returnit", error="invalid_token", error_description="${message}"` },
    });
  };
}

async function lookUp(
  { apiKeys, trustedProxies }: ApiKeyAdmissionOptions,
  ctx: HttpContext,
  key: string,
): Promise<Awaited<ReturnType<ApiKeys['check']>>> {
  try {
    return await apiKeys.check(key, clientAddress(ctx.req, trustedProxies));
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const message = `Cannot ${ctx.state.route.name}: the API key cannot be looked up`;
    const headers = { 'retry-after': String(databaseRetrySeconds) };
    throw new RequestRefusal('DATABASE_UNREACHABLE', message, { headers, cause: error });
  }
}

/** @throws {AppError} API_KEY_SCOPE_MISSING */
export function assertScope({ state }: HttpContext): void {
  const { scopes, route } = state;
  if (scopes === undefined) return;
  const wanted = scopeOf(route);
  if (coversScope(scopes, wanted)) return;
  const owned = scopes.length === 0 ? 'no scope' : scopes.join(', ');
  throw new RequestRefusal(
    'API_KEY_SCOPE_MISSING',
    `Cannot ${route.name} with this API key: it takes the scope "${wanted}", the key has ${owned}`,
  );
}
