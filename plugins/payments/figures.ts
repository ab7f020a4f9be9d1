import type { PluginContext } from '#plugin-api';
import { sumImbalance } from './ledger/ledger-store.ts';
import { readFigures } from './store/reconciliation-views.ts';

/** How old the figures are at most. */
const everyMs = 60_000;
const dayMs = 86_400_000;

/** Gauges of what is in the database: the same on every node. One that cannot be read stays as it is. */
export function registerFigures(
  { db, metrics, repeat }: Pick<PluginContext, 'db' | 'metrics' | 'repeat'>,
  now: () => number,
): void {
  repeat('figures', { everyMs }, async () => {
    const { unreconciled, oldestPendingSeconds } = await readFigures(db);
    metrics.set('returnit_payments_unreconciled', unreconciled);
    metrics.set('returnit_payments_oldest_pending_seconds', oldestPendingSeconds);
    const imbalanceMinor = await sumImbalance(db, new Date(now() - dayMs));
    metrics.set('returnit_payments_ledger_imbalance_minor', imbalanceMinor);
  });
}
