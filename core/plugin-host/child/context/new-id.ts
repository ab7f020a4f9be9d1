import { createHash, randomUUIDv7 } from 'node:crypto';
import type { HttpRequest } from '#plugin-api';

type Asked = Pick<HttpRequest, 'principal' | 'params' | 'headers'>;

/**
 * What `HttpRequest.newId()` answers: with an `Idempotency-Key` a UUID of version 8 (RFC 9562, 5.8) of caller, route,
 * parameters and key, otherwise a random one of version 7. Callers without a name would meet each other's.
 */
export function newIdOf({ principal, params, headers }: Asked, verb: string, template: string): string {
  const key = headers['idempotency-key'];
  if (key === undefined || principal.role === 'anonymous') return randomUUIDv7();
  const values = (params ?? {}) as Readonly<Record<string, unknown>>;
  const path = template.replaceAll(/\{(\w+)\}/g, (_, name: string) => String(values[name]));
  const text = JSON.stringify([principal.role, principal.id, `${verb.toUpperCase()} ${path}`, key]);
  const bytes = createHash('sha256').update(text).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
