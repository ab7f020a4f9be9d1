import type { PluginContext } from '#plugin-api';
import { tryNow } from './dispatch.ts';
import type { Settings } from './settings.ts';
import { lockDrivers } from './store/candidates.ts';
import { isSilent, listForgotten, listSilent, tellSilence, type SilentAssignment } from './store/watching.ts';
import { unassign } from './unassigning.ts';

/** What one run takes on; the next goes on a minute later. */
const silentMax = 200;
const forgottenMax = 200;
/** Twice the longest pause of a chain of tries, and a minute. */
const forgottenSeconds = 180;

export interface WatchOptions {
  readonly settings: Pick<Settings, 'silentSeconds'>;
  readonly signal: AbortSignal;
}

/**
 * Drivers who are not heard of any more: what they have not picked up goes to others, and of what they have ops are told,
 * once for each silence. And orders that wait without anybody trying: they are tried.
 */
export async function watch(ctx: PluginContext, { settings, signal }: WatchOptions): Promise<void> {
  for (const silent of await listSilent(ctx.db, { ...settings, limit: silentMax })) {
    if (signal.aborted) return;
    await (silent.isPickedUp ? tell(ctx, silent) : takeFrom(ctx, silent, settings));
  }
  const forgotten = await listForgotten(ctx.db, { seconds: forgottenSeconds, limit: forgottenMax });
  if (forgotten.length === 0) return;
  ctx.log.warn('orders were waiting and nobody tried', { orders: forgotten.length });
  await ctx.db.transaction(async (tx) => {
    for (const orderId of forgotten) await tryNow(tx, orderId);
  });
}

async function takeFrom(
  ctx: PluginContext,
  { orderId, driverId }: SilentAssignment,
  { silentSeconds }: Pick<Settings, 'silentSeconds'>,
): Promise<void> {
  const isTaken = await ctx.db.transaction(async (tx) => {
    await lockDrivers(tx, [driverId]);
    // It may have been heard of since.
    if (!(await isSilent(tx, { silentSeconds, orderId, driverId }))) return false;
    return unassign(tx, { orderId, driverId, reason: 'silent', by: { kind: 'system', id: 'drivers' } });
  });
  if (isTaken) ctx.metrics.increment('returnit_silent_drivers_total', { found: 'assigned' });
}

async function tell(ctx: PluginContext, silent: SilentAssignment): Promise<void> {
  const { orderId, customerId, driverId, attempt, lastSeenAt } = silent;
  const isTold = await ctx.db.transaction(async (tx) => {
    if (!(await tellSilence(tx, silent))) return false;
    await tx.events.publish('driver.silent', { orderId, customerId, driverId, attempt, lastSeenAt });
    return true;
  });
  if (isTold) ctx.metrics.increment('returnit_silent_drivers_total', { found: 'carrying' });
}
