import { createHash, randomUUIDv7 } from 'node:crypto';
import type { HttpRequest } from '#plugin-api';

/**
 * The id of what a request creates. With an Idempotency-Key it is the same for each repetition by the same principal, so
 * that one after a crash creates nothing twice; a UUID of version 8 (RFC 9562, 5.8).
 */
export function idOf({ principal, headers }: Pick<HttpRequest, 'principal' | 'headers'>, route: string): string {
  const key = headers['idempotency-key'];
  if (key === undefined) return randomUUIDv7();
  const parts = [principal.role, principal.id, route, key].map((part) => JSON.stringify(part)).join();
  const bytes = createHash('sha256').update(parts).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
