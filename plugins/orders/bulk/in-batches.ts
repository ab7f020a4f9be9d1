export interface BatchOptions {
  readonly max: number;
  /** How long a batch that is not full waits for more: who sends slowly still gets an answer to each. */
  readonly waitMs: number;
}

/**
 * What comes, in batches. While one is worked on, the next item is fetched already. When no more can be had because of a
 * failure, what had come before it is handed on first.
 */
export async function* inBatches<T>(
  items: AsyncIterable<T>,
  { max, waitMs }: BatchOptions,
): AsyncGenerator<readonly T[]> {
  const iterator = items[Symbol.asyncIterator]();
  let batch: T[] = [];
  let next = ask(iterator);
  for (;;) {
    const come = batch.length === 0 ? await next : await orLate(next, waitMs);
    if (come !== undefined && 'value' in come) {
      batch.push(come.value);
      next = ask(iterator);
      if (batch.length < max) continue;
    }
    if (batch.length > 0) yield batch;
    batch = [];
    if (come === undefined || 'value' in come) continue;
    if ('error' in come) throw come.error;
    return;
  }
}

type Come<T> = { readonly value: T } | { readonly error: unknown } | { readonly end: true };

async function ask<T>(iterator: AsyncIterator<T>): Promise<Come<T>> {
  try {
    const result = await iterator.next();
    return result.done === true ? { end: true } : { value: result.value };
  } catch (error) {
    return { error };
  }
}

async function orLate<T>(next: Promise<T>, waitMs: number): Promise<T | undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), waitMs);
  try {
    return await Promise.race([next, promise]);
  } finally {
    clearTimeout(timer);
  }
}
