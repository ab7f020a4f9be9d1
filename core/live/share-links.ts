import { decodeProtectedHeader, errors, jwtVerify, SignJWT } from 'jose';
import type { ShareLink } from '#plugin-api';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import type { LiveSession } from './hub.ts';

export interface LinkRequest {
  readonly channel: string;
  /** What the channel's owner knows the link by. */
  readonly id: string;
  readonly expiresInSeconds: number;
}

export interface ShareLinks {
  issue(request: LinkRequest): Promise<ShareLink>;
  /** Whoever shows the link, for its one channel and until it expires. @throws {AppError} UNAUTHENTICATED */
  verify(token: string): Promise<LiveSession>;
}

export interface ShareLinksOptions {
  readonly config: Pick<Config, 'jwtIssuer'>;
  /** 32 bytes, the same on every node. */
  readonly secret: Uint8Array;
  /** Milliseconds since the epoch. @default Date.now */
  readonly now?: () => number;
}

export const linkLifeMaxSeconds = 30 * 86_400;

/** Told apart from principals' tokens by type, audience and algorithm: neither is taken for the other. */
const type = 'live-link+jwt';
const audience = 'returnit-live-link';
const algorithm = 'HS256';
const tokenLengthMax = 2048;

/** Whether a token says that it is a share link; whether that is true is for `verify`. */
export function isShareLink(token: string): boolean {
  try {
    return token.length <= tokenLengthMax && decodeProtectedHeader(token).typ === type;
  } catch {
    // Not a token at all: the authenticator says so.
    return false;
  }
}

export function createShareLinks(options: ShareLinksOptions): ShareLinks {
  const { config, secret, now = Date.now } = options;
  return {
    async issue({ channel, id, expiresInSeconds }) {
      const expiresAt = Math.floor(now() / 1000) + expiresInSeconds;
      const token = await new SignJWT({ channel })
        .setProtectedHeader({ alg: algorithm, typ: type })
        .setIssuer(config.jwtIssuer)
        .setAudience(audience)
        .setSubject(id)
        .setExpirationTime(expiresAt)
        .sign(secret);
      return { token, expiresAt: new Date(expiresAt * 1000).toISOString() };
    },
    async verify(token) {
      try {
        const { payload } = await jwtVerify<{ readonly channel?: unknown }>(token, secret, {
          algorithms: [algorithm],
          typ: type,
          issuer: config.jwtIssuer,
          audience,
          requiredClaims: ['exp', 'sub', 'channel'],
          currentDate: new Date(now()),
        });
        const { sub: id = '', channel, exp = 0 } = payload;
        return {
          principal: { id: `link:${id}`, role: 'anonymous' },
          link: { id, channel: String(channel) },
          expiresAtMs: exp * 1000,
        };
      } catch (error) {
        const reason = error instanceof errors.JWTExpired ? 'it has expired' : 'it was not issued here';
        throw new AppError('UNAUTHENTICATED', `Cannot accept the share link: ${reason}`, { cause: error });
      }
    },
  };
}
