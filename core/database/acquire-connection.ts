import type pg from 'pg';
import type { PluginPool } from './database.ts';

/** A connection, unless the signal aborts first: the connection then goes back as soon as it comes. */
export async function acquireConnection(
  pool: Pick<PluginPool, 'connect'>,
  signal: AbortSignal,
): Promise<pg.PoolClient> {
  signal.throwIfAborted();
  const connecting = pool.connect();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([connecting, aborted]);
  } catch (error) {
    connecting.then(
      (client) => client.release(),
      () => {
        // It failed to connect: the caller has the error already, or no longer waits.
      },
    );
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
