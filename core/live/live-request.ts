import type { IncomingMessage } from 'node:http';
import { AppError } from '#core/errors/app-error.ts';
import { errorCodes } from '#core/errors/codes.ts';
import { problemContentType, problemType } from '#core/errors/problem-type.ts';

/** WebSocket at `/live`; server-sent events of one channel at `/live/<channel>`. */
export const livePath = '/live';

/** Offered by browsers, which cannot set headers on a WebSocket: `Sec-WebSocket-Protocol: returnit.live, bearer.<token>`. */
const tokenPrefix = 'bearer.';

/** The path of a request, or undefined when its target is not one. */
export function pathOf(request: IncomingMessage): string | undefined {
  return URL.parse(request.url ?? '', 'http://localhost')?.pathname;
}

/**
 * The bearer token; never from the URL, where logs and proxies would keep it.
 *
 * @throws {AppError} UNAUTHENTICATED when there is none
 */
export function tokenOf(request: IncomingMessage): string {
  const { authorization } = request.headers;
  const offered = request.headers['sec-websocket-protocol']?.split(',').map((item) => item.trim()) ?? [];
  const token =
    authorization === undefined
      ? offered.find((item) => item.startsWith(tokenPrefix))?.slice(tokenPrefix.length)
      : /^Bearer +(\S+) *$/i.exec(authorization)?.[1];
  if (token !== undefined && token !== '') return token;
  throw new AppError(
    'UNAUTHENTICATED',
    'Cannot watch without a token: send "Authorization: Bearer <token>", or from a browser the protocols "returnit.live" and "bearer.<token>"',
  );
}

/** The version that a client has from an earlier stream (`Last-Event-ID`); undefined when it has none. */
export function sinceOf(request: IncomingMessage): number | undefined {
  const id = request.headers['last-event-id'];
  return typeof id === 'string' && /^\d{1,16}$/.test(id) ? Number(id) : undefined;
}

/** What a refused client gets: problem details (RFC 9457). Errors that are not ours tell nothing. */
export function toLiveProblem(error: unknown): {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
} {
  const { code, message } =
    error instanceof AppError ? error : { code: 'INTERNAL' as const, message: 'Internal error' };
  const { status, title } = errorCodes[code];
  return {
    status,
    headers: {
      'content-type': problemContentType,
      'cache-control': 'no-store',
      ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
      ...(status === 503 ? { 'retry-after': String(retryAfterSeconds) } : {}),
    },
    body: JSON.stringify({ type: problemType(code), title, status, detail: message, code }),
  };
}

/** A plugin that restarts is back within this, as a rule. */
const retryAfterSeconds = 1;
