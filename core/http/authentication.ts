import { hash } from 'node:crypto';
import {
  createRemoteJWKSet,
  errors,
  jwtVerify,
  SignJWT,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyOptions,
  type JWTVerifyGetKey,
} from 'jose';
import { LRUCache } from 'lru-cache';
import type { Principal, Role } from '#plugin-api';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import { loadSigningKey, signingAlgorithm } from './signing-key.ts';

export const roles = ['customer', 'driver', 'partner', 'ops'] as const satisfies readonly Role[];

export interface IssueTokenOptions {
  readonly role: Role;
  readonly subject: string;
  /** @default 3600 */
  readonly expiresInSeconds?: number;
}

export interface Authenticator {
  /** Whose token this is, where it was verified not long ago. */
  remembered(token: string): Principal | undefined;
  /** @throws {AppError} UNAUTHENTICATED with the reason, AUTHENTICATION_UNAVAILABLE when the keys cannot be fetched */
  verify(token: string): Promise<Principal>;
  /** The same, for what outlives a request. @throws {AppError} as `verify` does */
  verifySession(token: string): Promise<Session>;
  /** Signs with the local key. @throws {AppError} INVALID_CONFIG when the keys are another's (JWT_JWKS_URL) */
  issueToken(options: IssueTokenOptions): Promise<string>;
  /** The public half of the local key; no keys when they are another's. */
  readonly publicKeys: JSONWebKeySet;
}

/** Who it is, and until when the token says so. */
export interface Session {
  readonly principal: Principal;
  /** Milliseconds since the epoch: from here on the token is refused. */
  readonly expiresAtMs: number;
}

export interface AuthenticatorOptions {
  readonly config: Pick<Config, 'dataDir' | 'jwtJwksUrl' | 'jwtIssuer' | 'jwtAudience' | 'httpTokensCachedMax'>;
  /** Milliseconds since the epoch. @default Date.now */
  readonly now?: () => number;
}

interface Verified extends Session {
  readonly rememberedUntilMs: number;
}

const remoteAlgorithms = ['EdDSA', 'Ed25519', 'ES256', 'RS256', 'PS256'];
const clockToleranceSeconds = 5;
const cachedMs = 60_000;
const tokenLengthMax = 8192;
const subjectLengthMax = 200;
const keysTimeoutMs = 5000;

/**
 * Checks signature, `iss`, `aud`, `exp`, `sub` and `role`. A signature check costs about 100 µs, so a token that passed is
 * remembered under its hash until it expires, for a minute at most: a revoked key takes effect within that minute.
 */
export async function createAuthenticator(options: AuthenticatorOptions): Promise<Authenticator> {
  const { config, now = Date.now } = options;
  const local = config.jwtJwksUrl === null ? await loadSigningKey(config.dataDir) : undefined;
  const getKey: JWTVerifyGetKey =
    local === undefined ? remoteKeys(config.jwtJwksUrl ?? '') : async () => local.publicKey;
  const verified = new LRUCache<string, Verified>({ max: config.httpTokensCachedMax });

  function find(key: string): Session | undefined {
    const known = verified.get(key);
    return known !== undefined && known.rememberedUntilMs > now() ? known : undefined;
  }

  async function verifySession(token: string): Promise<Session> {
    const key = toKey(token);
    const known = find(key);
    if (known !== undefined) return known;
    const nowMs = now();
    if (token.length > tokenLengthMax) refuse(`the token must have at most ${tokenLengthMax} characters`);
    const payload = await verifyToken(token, getKey, {
      algorithms: local === undefined ? remoteAlgorithms : [signingAlgorithm],
      issuer: config.jwtIssuer,
      audience: config.jwtAudience,
      requiredClaims: ['iss', 'aud', 'exp', 'sub', 'role'],
      clockTolerance: clockToleranceSeconds,
      currentDate: new Date(nowMs),
    });
    const { exp = 0 } = payload;
    const session: Verified = {
      principal: toPrincipal(payload),
      expiresAtMs: (exp + clockToleranceSeconds) * 1000,
      rememberedUntilMs: Math.min(exp * 1000, nowMs + cachedMs),
    };
    verified.set(key, session);
    return session;
  }

  return {
    remembered: (token) => find(toKey(token))?.principal,
    verify: async (token) => (await verifySession(token)).principal,
    verifySession,
    async issueToken({ role, subject, expiresInSeconds = 3600 }) {
      if (local === undefined) {
        throw new AppError(
          'INVALID_CONFIG',
          'Cannot issue a token: the keys that sign tokens are at JWT_JWKS_URL, and their owner issues tokens',
        );
      }
      const nowSeconds = Math.floor(now() / 1000);
      return new SignJWT({ role })
        .setProtectedHeader({ alg: signingAlgorithm, kid: local.id, typ: 'JWT' })
        .setIssuer(config.jwtIssuer)
        .setAudience(config.jwtAudience)
        .setSubject(subject)
        .setIssuedAt(nowSeconds)
        .setExpirationTime(nowSeconds + expiresInSeconds)
        .sign(local.privateKey);
    },
    publicKeys: { keys: local === undefined ? [] : [local.publicJwk] },
  };
}

function toKey(token: string): string {
  return hash('sha256', token, 'base64');
}

/** Fetches again when a token names an unknown key, at most every 30 s, and every 10 minutes: so keys can rotate. */
function remoteKeys(address: string): JWTVerifyGetKey {
  const keys = createRemoteJWKSet(new URL(address), {
    timeoutDuration: keysTimeoutMs,
    cooldownDuration: 30_000,
    cacheMaxAge: 600_000,
  });
  return async (header, token) => {
    try {
      return await keys(header, token);
    } catch (error) {
      if (
        error instanceof errors.JWKSNoMatchingKey ||
        error instanceof errors.JWKSMultipleMatchingKeys ||
        error instanceof errors.JOSENotSupported
      )
        throw error;
      throw new AppError('AUTHENTICATION_UNAVAILABLE', 'Cannot fetch the keys that sign tokens from JWT_JWKS_URL', {
        cause: error,
      });
    }
  };
}

async function verifyToken(token: string, getKey: JWTVerifyGetKey, options: JWTVerifyOptions): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, getKey, options);
    return payload;
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError('UNAUTHENTICATED', `Cannot accept the token: ${describeRefusal(error)}`, { cause: error });
  }
}

/** Helps an honest caller, tells a forger nothing that the token does not say itself. */
function describeRefusal(error: unknown): string {
  if (error instanceof errors.JWTExpired)
    return `it expired${typeof error.payload.exp === 'number' ? ` at ${toIso(error.payload.exp)}` : ''}`;
  if (error instanceof errors.JWTClaimValidationFailed)
    return error.reason === 'missing'
      ? `claim "${error.claim}" is missing`
      : `claim "${error.claim}" is not accepted here`;
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported)
    return 'its algorithm is not accepted';
  if (error instanceof errors.JWSSignatureVerificationFailed || error instanceof errors.JWKSNoMatchingKey)
    return 'it is not signed by a key that is trusted here';
  return 'it is not a well-formed JWT';
}

function toIso(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? 'a time out of range' : date.toISOString();
}

function toPrincipal(payload: JWTPayload): Principal {
  const { sub, role } = payload as { sub?: unknown; role?: unknown };
  if (typeof sub !== 'string' || sub === '' || sub.length > subjectLengthMax) {
    return refuse(`claim "sub" must be a text of 1 to ${subjectLengthMax} characters`);
  }
  const known = roles.find((each) => each === role);
  if (known === undefined) return refuse(`claim "role" must be one of ${roles.join(', ')}`);
  return Object.freeze({ id: sub, role: known });
}

function refuse(reason: string): never {
  throw new AppError('UNAUTHENTICATED', `Cannot accept the token: ${reason}`);
}
