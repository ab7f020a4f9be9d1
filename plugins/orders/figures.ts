import type { PluginContext } from '#plugin-api';
import { orderStatuses, type OrderStatus } from './lifecycle.ts';
import { countOrders } from './store/figures.ts';

/** How old the figures are at most. */
const everyMs = 30_000;
const over: ReadonlySet<OrderStatus> = new Set(['completed', 'cancelled']);
const openStatuses = orderStatuses.filter((status) => !over.has(status));

/** Every node reads the same figures from the database, so each shows the whole: to be read with max. */
export function registerFigures(ctx: Pick<PluginContext, 'db' | 'metrics' | 'repeat'>): void {
  ctx.repeat('figures', { everyMs }, async () => {
    const counts = await countOrders(ctx.db, openStatuses);
    for (const status of openStatuses) ctx.metrics.set('returnit_orders_open', counts.get(status) ?? 0, { status });
  });
}
