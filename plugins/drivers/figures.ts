import type { PluginContext } from '#plugin-api';
import { readFigures } from './store/figures.ts';

/** How old the figures are at most. */
const everyMs = 15_000;

/** Every node reads the same figures from the database, so each shows the whole: to be read with max. */
export function registerFigures({ db, metrics, repeat }: Pick<PluginContext, 'db' | 'metrics' | 'repeat'>): void {
  repeat('figures', { everyMs }, async () => {
    const { waiting, unavailable, held, assigned, oldestWaitSeconds } = await readFigures(db);
    metrics.set('returnit_dispatch_orders', waiting - unavailable, { state: 'waiting' });
    metrics.set('returnit_dispatch_orders', unavailable, { state: 'unavailable' });
    metrics.set('returnit_dispatch_orders', held, { state: 'held' });
    metrics.set('returnit_dispatch_orders', assigned, { state: 'assigned' });
    metrics.set('returnit_dispatch_oldest_wait_seconds', oldestWaitSeconds);
  });
}
