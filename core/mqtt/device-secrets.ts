import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { CredentialRecord } from './credential-store.ts';

const secretBytes = 32;
const nonceBytes = 16;

/** Secrets of devices: 256 bits that nobody can guess, and that only who has the key and the record can compute again. */
export interface DeviceSecrets {
  create(username: string): { readonly password: string; readonly nonce: Buffer | null };
  /** Undefined when the record was made without a key, or with another. */
  restore(record: CredentialRecord): string | undefined;
}

/**
 * With a key, a secret is derived from it and a random nonce: the database has nonce and hash, the nodes have the key, and
 * neither is enough. Needed for a broker that takes passwords alone and may forget them; otherwise they are random.
 */
export function createDeviceSecrets(key?: string): DeviceSecrets {
  if (key === undefined) {
    return {
      create: () => ({ password: randomBytes(secretBytes).toString('base64url'), nonce: null }),
      restore: () => undefined,
    };
  }
  const derive = (username: string, nonce: Buffer): string =>
    createHmac('sha256', key).update(nonce).update(username).digest('base64url');
  return {
    create(username) {
      const nonce = randomBytes(nonceBytes);
      return { password: derive(username, nonce), nonce };
    },
    restore({ username, nonce, secretHash }) {
      if (nonce === null) return undefined;
      const password = derive(username, nonce);
      return timingSafeEqual(createHash('sha256').update(password).digest(), secretHash) ? password : undefined;
    },
  };
}
