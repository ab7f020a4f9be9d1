/** How work ended; null when it came to a value. */
export type Failure = { readonly error: unknown } | null;

/**
 * Does `work` and tells how it ended, before anybody gets its value. What needs no waiting is done without a promise:
 * most calls of a plugin are answered at once, and each promise in their way would cost as much as the work itself.
 */
export function follow<T>(work: () => T | Promise<T>, ended: (failure: Failure) => void): T | Promise<T> {
  let result: T | Promise<T>;
  try {
    result = work();
  } catch (error) {
    ended({ error });
    throw error;
  }
  if (result instanceof Promise) return followLater(result, ended);
  ended(null);
  return result;
}

async function followLater<T>(work: Promise<T>, ended: (failure: Failure) => void): Promise<T> {
  let result: T;
  try {
    result = await work;
  } catch (error) {
    ended({ error });
    throw error;
  }
  ended(null);
  return result;
}
