import type { PluginContext } from '#plugin-api';
import { dropFinishedOrders } from './store/finished-orders.ts';

export interface OrderKeepingOptions {
  readonly nowMs: number;
  readonly retentionMs: number;
  readonly signal: AbortSignal;
}

/** An event that comes this late must still find that its order is over. */
const keptMinMs = 30 * 86_400_000;

/** Forgets orders that have been over for as long as fixes are kept, with the visits at their stops; any node may, at once. */
export async function forgetFinishedOrders(
  { db, metrics, log }: Pick<PluginContext, 'db' | 'metrics' | 'log'>,
  { nowMs, retentionMs, signal }: OrderKeepingOptions,
): Promise<void> {
  const beforeMs = nowMs - Math.max(retentionMs, keptMinMs);
  for (let hasMore = true; hasMore;) {
    signal.throwIfAborted();
    const dropped = await dropFinishedOrders(db, beforeMs);
    ({ hasMore } = dropped);
    if (dropped.orders === 0) break;
    metrics.increment('returnit_tracking_orders_forgotten_total', {}, dropped.orders);
    log.info('orders forgotten: they are over and past retention', { orders: dropped.orders, visits: dropped.visits });
  }
}
