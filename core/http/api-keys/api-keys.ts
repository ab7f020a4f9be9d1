import { randomBytes, timingSafeEqual } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Principal } from '#plugin-api';
import { createFailureLimit } from '#core/cache/failure-limit.ts';
import type { Config } from '#core/config/settings.ts';
import type { Logger } from '#core/telemetry/logger.ts';
import type { Metrics } from '#core/telemetry/metrics.ts';
import { apiKeyPrefix, parseApiKey, type ParsedApiKey } from './api-key.ts';
import { createApiKeyCache, type KnownApiKey } from './api-key-cache.ts';
import type { ApiKeyStore } from './api-key-store.ts';

/** The channel on which the database announces the id of each key that changed. */
export const apiKeyChannel = 'returnit_api_key';

export interface ApiKeysOptions {
  readonly store: Pick<ApiKeyStore, 'find' | 'markUsed'>;
  readonly config: Pick<Config, 'apiKeysCachedMax' | 'apiKeyCacheTtlMs' | 'apiKeyFailuresPerMinuteMax'>;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** @default Date.now */
  readonly now?: () => number;
}

export type ApiKeyFailure = 'malformed' | 'unknown' | 'revoked' | 'expired' | 'rate-limited';

export type ApiKeyCheck =
  | { readonly principal: Principal; readonly scopes: readonly string[] }
  | { readonly failure: ApiKeyFailure };

/** Checks partners' API keys. */
export interface ApiKeys {
  /**
   * A key that the node remembers is checked without the database.
   *
   * @param address of the client: wrong keys are counted by it
   * @throws {AppError} when a key cannot be looked up
   */
  check(key: string, address: string): Promise<ApiKeyCheck> | ApiKeyCheck;
  /** To be told that a key has changed on any node; null when any may have. */
  changed(keyId: string | null): void;
}

/** Whether a bearer token is an API key rather than a JWT. */
export const isApiKey = (token: string): boolean => token.startsWith(apiKeyPrefix);

/** What an unknown key is compared with. Nothing hashes to it by intent. */
const nobodysHash = randomBytes(32);
const usedEveryMs = 60_000;

/**
 * Keys are remembered for API_KEY_CACHE_TTL_MS, and forgotten when the database announces a change: a revocation holds at
 * once here, and elsewhere as soon as it is heard. An address that failed too often is checked against remembered keys
 * alone.
 */
export function createApiKeys(options: ApiKeysOptions): ApiKeys {
  const { store, config, now = Date.now } = options;
  const attempts = options.metrics.counter('returnit_http_api_key_authentications_total');
  const failures = createFailureLimit({ failuresMax: config.apiKeyFailuresPerMinuteMax, now });
  const cache = createApiKeyCache({
    find: (keyId) => store.find(keyId),
    keysMax: config.apiKeysCachedMax,
    ttlMs: config.apiKeyCacheTtlMs,
  });
  const noteUse = createUseNotes(options);

  function fail(failure: ApiKeyFailure, address: string): ApiKeyCheck {
    if (failure !== 'rate-limited') failures.record(address);
    attempts.inc({ outcome: failure });
    return { failure };
  }

  function judge(found: KnownApiKey | null, secretHash: Buffer, address: string): ApiKeyCheck {
    const isRight = timingSafeEqual(secretHash, found?.record.secretHash ?? nobodysHash);
    if (found === null || !isRight) return fail('unknown', address);
    const { record, principal } = found;
    // Whoever knows the secret may know why it is not taken.
    if (record.revokedAt !== null) return fail('revoked', address);
    if (record.expiresAt !== null && record.expiresAt.getTime() <= now()) return fail('expired', address);
    attempts.inc({ outcome: 'accepted' });
    noteUse(record.keyId);
    return { principal, scopes: record.scopes };
  }

  async function lookUp({ keyId, secretHash }: ParsedApiKey, address: string): Promise<ApiKeyCheck> {
    try {
      return judge(await cache.load(keyId), secretHash, address);
    } catch (error) {
      attempts.inc({ outcome: 'error' });
      throw error;
    }
  }

  return {
    check(key, address) {
      const parsed = parseApiKey(key);
      const isLimited = failures.isExceeded(address);
      if (parsed === undefined) return fail(isLimited ? 'rate-limited' : 'malformed', address);
      const found = cache.peek(parsed.keyId);
      if (found !== undefined) return judge(found, parsed.secretHash, address);
      return isLimited ? fail('rate-limited', address) : lookUp(parsed, address);
    },
    changed: (keyId) => cache.changed(keyId),
  };
}

/** Writes that a key was used, at most once a minute. What was written is remembered longer than the key itself. */
function createUseNotes({ store, config, logger, now = Date.now }: ApiKeysOptions): (keyId: string) => void {
  const writtenAtMs = new LRUCache<string, number>({ max: config.apiKeysCachedMax });
  return (keyId) => {
    const nowMs = now();
    if (nowMs - (writtenAtMs.get(keyId) ?? 0) < usedEveryMs) return;
    writtenAtMs.set(keyId, nowMs);
    store.markUsed(keyId).catch((error: unknown) => {
      logger.warn({ err: error, keyId }, 'Cannot note that an API key was used');
    });
  };
}
