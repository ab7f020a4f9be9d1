import { AppError } from '#core/errors/app-error.ts';

export interface TakeOptions {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  /** For the message: `a transaction of plugin "orders"`. */
  readonly what: string;
}

/** So many at once; the others wait in the order in which they came. */
export interface Semaphore {
  /** @throws {AppError} OVERLOADED after the time-out; the signal's reason when it aborts */
  take(options: TakeOptions): Promise<void>;
  give(): void;
}

export function createSemaphore(max: number): Semaphore {
  let free = max;
  const waiting = new Set<() => void>();
  return {
    async take({ signal, timeoutMs, what }) {
      signal.throwIfAborted();
      if (free > 0) {
        free -= 1;
        return;
      }
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      waiting.add(resolve);
      const abort = (): void => reject(signal.reason as Error);
      signal.addEventListener('abort', abort, { once: true });
      const timer = setTimeout(() => {
        reject(new AppError('OVERLOADED', `Cannot begin ${what}: none of ${max} was free within ${timeoutMs} ms`));
      }, timeoutMs);
      try {
        await promise;
      } finally {
        waiting.delete(resolve);
        clearTimeout(timer);
        signal.removeEventListener('abort', abort);
      }
    },
    give() {
      const [next] = waiting;
      if (next === undefined) {
        free += 1;
        return;
      }
      // Removed at once: a second give() before the first waiter runs must wake the second one.
      waiting.delete(next);
      next();
    },
  };
}
