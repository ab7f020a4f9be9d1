import { setTimeout as delay } from 'node:timers/promises';
import type { System } from './system.ts';

/** Another session has a table for itself. @returns how to let go of it */
export async function holdLock(system: System, table: string): Promise<() => Promise<void>> {
  const held = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const session = system.withDatabase(async (client) => {
    await client.query('begin');
    await client.query(`lock table ${table} in access exclusive mode`);
    held.resolve();
    await released.promise;
    await client.query('rollback');
  });
  await Promise.race([held.promise, session]);
  return async () => {
    released.resolve();
    await session;
  };
}

/** The same for some seconds at a time, with hardly a pause between. */
export async function holdLockOftenFor(
  system: System,
  table: string,
  { heldMs, pauseMs }: { readonly heldMs: number; readonly pauseMs: number },
): Promise<() => Promise<void>> {
  let isOver = false;
  const running = (async () => {
    while (!isOver) {
      const release = await holdLock(system, table);
      await delay(heldMs);
      await release();
      await delay(pauseMs);
    }
  })();
  // Whoever ends it hears of it.
  running.catch(() => undefined);
  return async () => {
    isOver = true;
    await running;
  };
}
