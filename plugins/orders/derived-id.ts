import { createHash, randomUUIDv7 } from 'node:crypto';
import type { Actor } from './lifecycle.ts';

export interface IdSource {
  readonly actor: Actor;
  /** Such as `POST /orders`: a key is of one route. */
  readonly route: string;
  readonly idempotencyKey: string | undefined;
}

/**
 * The id of something new. With an idempotency key it is made from the key and who used it, as a UUID of version 8: a
 * request that is repeated after a crash meets what it made.
 */
export function toNewId({ actor, route, idempotencyKey }: IdSource): string {
  if (idempotencyKey === undefined) return randomUUIDv7();
  const text = JSON.stringify([actor.kind, actor.id, route, idempotencyKey]);
  const hex = createHash('sha256').update(text).digest('hex');
  const variant = '89ab'[Number.parseInt(hex.charAt(16), 16) % 4];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
