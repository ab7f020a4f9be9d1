import { LRUCache } from 'lru-cache';
import type { Principal } from '#plugin-api';
import type { ApiKeyRecord } from './api-key-store.ts';

export interface KnownApiKey {
  readonly record: ApiKeyRecord;
  readonly principal: Principal;
}

export interface ApiKeyCacheOptions {
  readonly find: (keyId: string) => Promise<ApiKeyRecord | undefined>;
  readonly keysMax: number;
  readonly ttlMs: number;
}

/** API keys as they are stored, remembered for a while. */
export interface ApiKeyCache {
  /** What is remembered: a key, that there is none (null), or nothing (undefined). */
  peek(keyId: string): KnownApiKey | null | undefined;
  load(keyId: string): Promise<KnownApiKey | null>;
  /** To be told that a key has changed; null when any may have. */
  changed(keyId: string | null): void;
}

/** Ids that do not exist are remembered apart: whoever makes them up pushes out nothing but others like them. */
export function createApiKeyCache({ find, keysMax, ttlMs }: ApiKeyCacheOptions): ApiKeyCache {
  const known = new LRUCache<string, KnownApiKey>({ max: keysMax, ttl: ttlMs });
  const unknown = new LRUCache<string, true>({ max: keysMax, ttl: ttlMs });
  let generation = 0;
  return {
    peek: (keyId) => known.get(keyId) ?? (unknown.has(keyId) ? null : undefined),
    async load(keyId) {
      for (;;) {
        const asked = generation;
        const record = await find(keyId);
        // Changed while it was read: what was read may be the state before.
        if (asked !== generation) continue;
        if (record === undefined) {
          unknown.set(keyId, true);
          return null;
        }
        const principal: Principal = Object.freeze({ id: record.partnerId, role: 'partner' });
        const found = { record, principal };
        known.set(keyId, found);
        return found;
      }
    },
    changed(keyId) {
      generation += 1;
      if (keyId === null) {
        known.clear();
        unknown.clear();
        return;
      }
      known.delete(keyId);
      unknown.delete(keyId);
    },
  };
}
