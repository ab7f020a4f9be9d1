import { LRUCache } from 'lru-cache';

export interface WindowLimitOptions {
  readonly windowMs: number;
  /** Keys remembered; the one not seen for longest is forgotten first. */
  readonly keysMax: number;
  /** @default Date.now */
  readonly now?: () => number;
}

export interface Window {
  readonly endsAtMs: number;
  /** Requests in it, the last one included. */
  readonly count: number;
}

/** Counts by key, in fixed windows that begin with a key's first request. */
export interface WindowLimit {
  take(key: string): Window;
  readonly size: number;
}

/**
 * One look-up and one addition a request: no promise, no timer and no object, unless a window begins. Decision 045 has
 * what a general limiter costs beside it. Of a fixed window a caller can have two in a row; nothing here is so near its
 * limit that this matters.
 */
export function createWindowLimit(options: WindowLimitOptions): WindowLimit {
  const { windowMs, now = Date.now } = options;
  const windows = new LRUCache<string, { endsAtMs: number; count: number }>({ max: options.keysMax });
  return {
    take(key) {
      const nowMs = now();
      const window = windows.get(key);
      if (window === undefined) {
        const first = { endsAtMs: nowMs + windowMs, count: 1 };
        windows.set(key, first);
        return first;
      }
      if (window.endsAtMs <= nowMs) {
        window.endsAtMs = nowMs + windowMs;
        window.count = 0;
      }
      window.count += 1;
      return window;
    },
    get size() {
      return windows.size;
    },
  };
}
