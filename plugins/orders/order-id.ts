import { createHash, randomUUIDv7 } from 'node:crypto';
import type { Actor } from './lifecycle.ts';

/**
 * The id of a new order. With an idempotency key it is made from the key and who used it, as a UUID of version 8: a
 * request that is repeated after a crash meets the order that it made.
 */
export function toOrderId(actor: Actor, idempotencyKey: string | undefined): string {
  if (idempotencyKey === undefined) return randomUUIDv7();
  const text = JSON.stringify([actor.kind, actor.id, 'POST /orders', idempotencyKey]);
  const hex = createHash('sha256').update(text).digest('hex');
  const variant = '89ab'[Number.parseInt(hex.charAt(16), 16) % 4];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
