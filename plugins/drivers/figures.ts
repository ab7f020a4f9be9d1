import type { PluginContext } from '#plugin-api';
import { readFigures } from './store/figures.ts';

/** How old the figures are at most. */
const everyMs = 15_000;

export interface Figures {
  stop(): Promise<void>;
}

/** Every node reads the same figures from the database, so each shows the whole: to be read with max. */
export async function showFigures({ db, metrics }: Pick<PluginContext, 'db' | 'metrics'>): Promise<void> {
  const { waiting, unavailable, held, assigned, oldestWaitSeconds } = await readFigures(db);
  metrics.set('returnit_dispatch_orders', waiting - unavailable, { state: 'waiting' });
  metrics.set('returnit_dispatch_orders', unavailable, { state: 'unavailable' });
  metrics.set('returnit_dispatch_orders', held, { state: 'held' });
  metrics.set('returnit_dispatch_orders', assigned, { state: 'assigned' });
  metrics.set('returnit_dispatch_oldest_wait_seconds', oldestWaitSeconds);
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
