import { hash, randomBytes } from 'node:crypto';
import type { Principal } from '#plugin-api';

/** What an API key begins with: programs that look for leaked secrets know it by this. */
export const apiKeyPrefix = 'rk_live_';

const form = /^rk_live_([0-9a-f]{16})_[A-Za-z0-9_-]{43}$/;

export interface NewApiKey {
  /** Public: it stands in the key, and names it everywhere. */
  readonly keyId: string;
  /** The whole key, to be told once. */
  readonly secret: string;
  readonly secretHash: Buffer;
}

export interface ParsedApiKey {
  readonly keyId: string;
  readonly secretHash: Buffer;
}

const idBytes = 8;

/**
 * The id of the key that a request makes. With an `Idempotency-Key` it follows from caller, route and key, so that the
 * same request again meets what the first one made.
 */
export function toKeyId(caller: Principal, route: string, idempotencyKey: string | undefined): string {
  if (idempotencyKey === undefined) return randomBytes(idBytes).toString('hex');
  return hash('sha256', JSON.stringify([caller.role, caller.id, route, idempotencyKey]), 'hex').slice(0, 2 * idBytes);
}

/** 256 random bits: one SHA-256 is enough to keep it, and nothing slower would make it safer. */
export function createApiKey(keyId = randomBytes(idBytes).toString('hex')): NewApiKey {
  const secret = `${apiKeyPrefix}${keyId}_${randomBytes(32).toString('base64url')}`;
  return { keyId, secret, secretHash: hashOf(secret) };
}

/** Undefined when it cannot have been issued here. */
export function parseApiKey(text: string): ParsedApiKey | undefined {
  const keyId = form.exec(text)?.[1];
  return keyId === undefined ? undefined : { keyId, secretHash: hashOf(text) };
}

/** How a key is shown: enough to tell it from others, and nothing of its secret. */
export const shownApiKey = (keyId: string): string => `${apiKeyPrefix}${keyId}_…`;

function hashOf(secret: string): Buffer {
  return hash('sha256', secret, 'buffer');
}
