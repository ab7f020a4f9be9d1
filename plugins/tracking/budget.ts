import { createBoundedMap } from './bounded-map.ts';

export interface BudgetOptions {
  /** Tokens that come back in a second; 0 is without limit. */
  readonly perSecond: number;
  readonly burst: number;
  readonly devicesMax: number;
}

/** How many fixes a device may send: a token bucket for each, of a bounded number of devices. */
export interface Budget {
  /** Whether the device has a token left, which is spent. */
  take(device: string, nowMs: number): boolean;
  /** A fix that was not stored is sent again: it must not be paid for twice. */
  giveBack(device: string): void;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

export function createBudget({ perSecond, burst, devicesMax }: BudgetOptions): Budget {
  const buckets = createBoundedMap<Bucket>(devicesMax);
  return {
    take(device, nowMs) {
      if (perSecond === 0) return true;
      const bucket = buckets.get(device) ?? { tokens: burst, atMs: nowMs };
      // A clock that was set back gives nothing.
      const elapsedMs = Math.max(0, nowMs - bucket.atMs);
      bucket.tokens = Math.min(burst, bucket.tokens + (elapsedMs / 1000) * perSecond);
      bucket.atMs = nowMs;
      const isLeft = bucket.tokens >= 1;
      if (isLeft) bucket.tokens -= 1;
      buckets.set(device, bucket);
      return isLeft;
    },
    giveBack(device) {
      const bucket = buckets.get(device);
      if (bucket !== undefined) bucket.tokens = Math.min(burst, bucket.tokens + 1);
    },
  };
}
