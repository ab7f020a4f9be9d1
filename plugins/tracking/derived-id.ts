import { createHash, randomUUID } from 'node:crypto';
import type { HttpRequest } from '#plugin-api';

/**
 * The id of what a request creates. With an `Idempotency-Key` it follows from caller, route and key (RFC 9562, version 8),
 * so that a request repeated after a crash finds what the first one made; otherwise it is random.
 */
export function idOf({ principal, headers }: Pick<HttpRequest, 'principal' | 'headers'>, route: string): string {
  const key = headers['idempotency-key'];
  if (key === undefined) return randomUUID();
  const hash = createHash('sha256')
    .update(JSON.stringify([principal.role, principal.id, route, key]))
    .digest('hex');
  const variant = ((Number.parseInt(hash.charAt(16), 16) & 0x3) | 0x8).toString(16);
  return `${hash.slice(0, 8)}-${hash.slice(8, 12)}-8${hash.slice(13, 16)}-${variant}${hash.slice(17, 20)}-${hash.slice(20, 32)}`;
}
