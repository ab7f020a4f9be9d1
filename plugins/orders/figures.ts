import type { PluginContext } from '#plugin-api';
import { orderStatuses, type OrderStatus } from './lifecycle.ts';
import { countOrders } from './store/figures.ts';

/** How old the figures are at most. */
const everyMs = 30_000;
const over: ReadonlySet<OrderStatus> = new Set(['completed', 'cancelled']);
const openStatuses = orderStatuses.filter((status) => !over.has(status));

export interface Figures {
  stop(): Promise<void>;
}

/** Every node reads the same figures from the database, so each shows the whole: to be read with max. */
export async function showFigures({ db, metrics }: Pick<PluginContext, 'db' | 'metrics'>): Promise<void> {
  const counts = await countOrders(db, openStatuses);
  for (const status of openStatuses) metrics.set('returnit_orders_open', counts.get(status) ?? 0, { status });
}

/** A figure that cannot be read stays as it is, and is read again. */
export function startFigures(ctx: Pick<PluginContext, 'db' | 'metrics' | 'log'>): Figures {
  let running: Promise<void> | undefined;
  const show = (): void => {
    // One at a time, however slow the database is.
    running ??= showFigures(ctx)
      .catch((error: unknown) => ctx.log.warn('figures were not read', { error: (error as Error).message }))
      .finally(() => (running = undefined));
  };
  const timer = setInterval(show, everyMs);
  timer.unref();
  show();
  return {
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}
