import { lookup } from 'node:dns/promises';
import type { LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { Pool } from 'undici';
import { isPrivateAddress } from '../permissions/permission-net.ts';

export interface PinnedAgent {
  /** What a request to this URL goes through. */
  dispatcherOf(url: URL): Pool;
  /**
   * Resolves the host of `url` and connects to nothing but what is resolved here: a name that resolves to something else
   * a moment later (DNS rebinding) is not asked again. `allow` is called for each private address and throws to refuse it.
   */
  pin(url: URL, allow: (address: string, port: number) => void): Promise<void>;
  close(): Promise<void>;
}

export interface PinnedAgentOptions {
  readonly connectionsPerOriginMax: number;
  readonly connectTimeoutMs: number;
  /** @default the system's resolver */
  readonly resolve?: (host: string) => Promise<readonly LookupAddress[]>;
}

/** Origins with connections; one more closes those of the origin longest unused, once what they carry is done. */
const originsMax = 100;
/** Far more than connections at once: an answer may be needed long after it was given. */
const pinsMax = 10 * originsMax;

export function createPinnedAgent(options: PinnedAgentOptions): PinnedAgent {
  const resolve = options.resolve ?? ((host: string) => lookup(host, { all: true }));
  const pins = new Map<string, readonly LookupAddress[]>();

  function pinnedLookup(origin: string): LookupFunction {
    return (_host, lookupOptions, done) => {
      const addresses = pins.get(origin) ?? [];
      const [first] = addresses;
      if (first === undefined) done(new Error(`No address of ${origin} was checked`), '', 0);
      else if (lookupOptions.all === true) done(null, [...addresses]);
      else done(null, first.address, first.family);
    };
  }

  const pools = new Map<string, Pool>();
  const closing = new Set<Pool>();

  function openPool(origin: string): Pool {
    return new Pool(origin, {
      connections: options.connectionsPerOriginMax,
      connect: { lookup: pinnedLookup(origin), timeout: options.connectTimeoutMs },
    });
  }

  function closeOldest(): void {
    for (const [origin, pool] of pools) {
      if (pools.size <= originsMax) return;
      pools.delete(origin);
      closing.add(pool);
      void pool.close().finally(() => closing.delete(pool));
    }
  }

  return {
    dispatcherOf({ origin }) {
      const pool = pools.get(origin) ?? openPool(origin);
      // The newest is last.
      pools.delete(origin);
      pools.set(origin, pool);
      closeOldest();
      return pool;
    },
    async pin(url, allow) {
      const host = url.hostname.replace(/^\[|\]$/g, '');
      const port = portOf(url);
      const family = isIP(host);
      const addresses = family === 0 ? await resolve(host) : [{ address: host, family }];
      for (const { address } of addresses) if (isPrivateAddress(address)) allow(address, port);
      // The newest is last, so that the one forgotten is the one longest unused.
      pins.delete(url.origin);
      pins.set(url.origin, addresses);
      for (const oldest of pins.keys()) if (pins.size > pinsMax) pins.delete(oldest);
    },
    async close() {
      await Promise.all([...pools.values(), ...closing].map((pool) => pool.destroy()));
    },
  };
}

export function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port);
  return url.protocol === 'https:' ? 443 : 80;
}
