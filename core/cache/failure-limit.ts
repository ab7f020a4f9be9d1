import { LRUCache } from 'lru-cache';

export interface FailureLimitOptions {
  /** Failures of one address within the window. @default 20 */
  readonly failuresMax?: number;
  /** @default 60000 */
  readonly windowMs?: number;
  /** Addresses remembered; the one not seen for longest is forgotten first. @default 10000 */
  readonly addressesMax?: number;
  /** @default Date.now */
  readonly now?: () => number;
}

/** Counts failed attempts by address, in fixed windows. */
export interface FailureLimit {
  isExceeded(address: string): boolean;
  record(address: string): void;
}

export function createFailureLimit(options: FailureLimitOptions = {}): FailureLimit {
  const { failuresMax = 20, windowMs = 60_000, addressesMax = 10_000, now = Date.now } = options;
  const windows = new LRUCache<string, { readonly endsAtMs: number; failures: number }>({ max: addressesMax });

  function windowOf(address: string): { failures: number } | undefined {
    const window = windows.get(address);
    return window !== undefined && window.endsAtMs > now() ? window : undefined;
  }

  return {
    isExceeded: (address) => (windowOf(address)?.failures ?? 0) >= failuresMax,
    record(address) {
      const window = windowOf(address);
      if (window === undefined) windows.set(address, { endsAtMs: now() + windowMs, failures: 1 });
      else window.failures += 1;
    },
  };
}
