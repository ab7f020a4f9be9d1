import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { DeviceCredentials } from '#plugin-api';
import { AppError } from '#core/errors/app-error.ts';
import type { CredentialRecord, CredentialStore } from './credential-store.ts';
import { createDeviceSecrets, type DeviceSecrets } from './device-secrets.ts';

export type AuthenticationFailure = 'unknown-user' | 'wrong-secret' | 'revoked' | 'rate-limited';

export type Authentication = { readonly credential: CredentialRecord } | { readonly failure: AuthenticationFailure };

export interface DeviceRequest {
  readonly username: string;
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

export interface CredentialsOptions {
  readonly store: CredentialStore;
  /** @default secrets that cannot be computed again */
  readonly secrets?: DeviceSecrets;
  /** After a change is stored, before it is told to whoever asked for it: another broker must know of it as well. */
  readonly onStored?: (username: string) => Promise<void>;
  /** Credentials cached, unknown users included. @default 10000 */
  readonly cachedMax?: number;
  /** Longest life of a cached credential, should an announced change be lost. @default 60000 */
  readonly cacheTtlMs?: number;
}

/** Credentials of devices: issued by plugins, checked by the embedded broker. */
export interface Credentials {
  /**
   * Takes as long for an unknown user as for a wrong secret.
   *
   * @param options.cachedOnly does not ask the database: for an address that has failed too often
   */
  authenticate(username: string, secret: Buffer, options?: { readonly cachedOnly?: boolean }): Promise<Authentication>;
  /**
   * Creates or replaces the credentials of a device; the earlier secret is worth nothing from then on.
   *
   * @throws {AppError} FORBIDDEN when another plugin issued them
   */
  issue(plugin: string, device: DeviceRequest): Promise<DeviceCredentials>;
  /**
   * Does nothing when there are none.
   *
   * @throws {AppError} FORBIDDEN when another plugin issued them
   */
  revoke(plugin: string, username: string): Promise<void>;
  /** What is stored now, from the cache where it is fresh. */
  current(username: string): Promise<CredentialRecord | undefined>;
  /** To be told that the credentials of a user have changed on any node; null when anybody's may have. */
  changed(username: string | null): void;
  /** Returns the function that ends it. */
  onChange(listener: (username: string | null) => void): () => void;
}

/** What an unknown user's secret is compared with. Nothing hashes to it by intent. */
const nobodysHash = randomBytes(32);

function hash(secret: Buffer | string): Buffer {
  return createHash('sha256').update(secret).digest();
}

function refuse(action: string, username: string): AppError {
  return new AppError('FORBIDDEN', `Cannot ${action} credentials of "${username}": another plugin issued them`, {
    details: { username },
  });
}

export function createCredentials(options: CredentialsOptions): Credentials {
  const { store, secrets = createDeviceSecrets(), onStored = async () => undefined } = options;
  const cache = new LRUCache<string, { readonly record: CredentialRecord | undefined }>({
    max: options.cachedMax ?? 10_000,
    ttl: options.cacheTtlMs ?? 60_000,
  });
  const listeners = new Set<(username: string | null) => void>();
  let generation = 0;

  async function find(username: string): Promise<CredentialRecord | undefined> {
    const cached = cache.get(username);
    if (cached !== undefined) return cached.record;
    for (;;) {
      const asked = generation;
      const record = await store.find(username);
      // Changed while it was read: what was read may be the state before.
      if (asked !== generation) continue;
      cache.set(username, { record });
      return record;
    }
  }

  function changed(username: string | null): void {
    generation += 1;
    if (username === null) cache.clear();
    else cache.delete(username);
    for (const listener of listeners) listener(username);
  }

  return {
    changed,
    current: find,
    async authenticate(username, secret, { cachedOnly = false } = {}) {
      if (cachedOnly && cache.peek(username) === undefined) return { failure: 'rate-limited' };
      const record = await find(username);
      const matches = timingSafeEqual(hash(secret), record?.secretHash ?? nobodysHash);
      if (record === undefined) return { failure: 'unknown-user' };
      if (!matches) return { failure: 'wrong-secret' };
      return record.revoked ? { failure: 'revoked' } : { credential: record };
    },
    async issue(plugin, { username, publish, subscribe }) {
      const { password, nonce } = secrets.create(username);
      const saved = await store.save({ username, secretHash: hash(password), publish, subscribe, plugin, nonce });
      if (!saved) throw refuse('issue', username);
      changed(username);
      await onStored(username);
      return { username, password };
    },
    async revoke(plugin, username) {
      const outcome = await store.revoke(username, plugin);
      if (outcome === 'foreign') throw refuse('revoke', username);
      changed(username);
      await onStored(username);
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
