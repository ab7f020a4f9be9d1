/** Who of several does a thing, by its key; the others wait and are told what came of it. */
export interface Turns<Result> {
  /**
   * Waits while another has the turn, until the deadline on the clock of `performance.now()`. `yours`: nobody had it, and
   * `finish()` must be called. `over`: another had it, and this came of it.
   */
  wait(key: string, deadlineMs: number): Promise<Turn<Result>> | Turn<Result>;
}

export type Turn<Result> =
  | { readonly kind: 'yours'; finish(result: Result): void }
  | { readonly kind: 'over'; readonly result: Result }
  | { readonly kind: 'late' };

export function createTurns<Result>(): Turns<Result> {
  const running = new Map<string, Promise<Result>>();
  return {
    wait(key, deadlineMs) {
      const other = running.get(key);
      if (other !== undefined) return waitFor(other, deadlineMs);
      const { promise, resolve } = Promise.withResolvers<Result>();
      running.set(key, promise);
      return {
        kind: 'yours',
        finish(result) {
          running.delete(key);
          resolve(result);
        },
      };
    },
  };
}

async function waitFor<Result>(other: Promise<Result>, deadlineMs: number): Promise<Turn<Result>> {
  const { promise: late, resolve } = Promise.withResolvers<Turn<Result>>();
  const timer = setTimeout(() => resolve({ kind: 'late' }), Math.max(0, deadlineMs - performance.now()));
  try {
    return await Promise.race([other.then((result) => ({ kind: 'over', result }) as const), late]);
  } finally {
    clearTimeout(timer);
  }
}
