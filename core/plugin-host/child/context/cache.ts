import type { Cache } from '#plugin-api';
import type { CoreConnection } from '../core-connection.ts';

export function createCache(core: CoreConnection): Cache {
  return Object.freeze({
    get: async <T>(key: string) => (await core.call('cache.get', { key })).value as T | undefined,
    async set(key: string, value: unknown, options: { readonly ttlMs?: number } = {}): Promise<void> {
      await core.call('cache.set', { key, value, ...(options.ttlMs === undefined ? {} : { ttlMs: options.ttlMs }) });
    },
    delete: async (key: string) => void (await core.call('cache.delete', { key })),
  });
}
