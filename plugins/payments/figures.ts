import type { PluginContext } from '#plugin-api';
import { sumImbalance } from './ledger/ledger-store.ts';
import { readFigures } from './store/reconciliation-views.ts';

/** How old the figures are at most. */
const everyMs = 60_000;
const dayMs = 86_400_000;

export interface Figures {
  stop(): Promise<void>;
}

/** Keeps gauges of what is in the database: the same on every node. One that cannot be read stays as it is. */
export function startFigures(ctx: PluginContext, now: () => number): Figures {
  let running: Promise<void> | undefined;
  const start = (): void => {
    // One at a time, however slow the database is.
    running ??= showFigures(ctx, now())
      .catch((error: unknown) => ctx.log.warn('figures were not read', { error: (error as Error).message }))
      .finally(() => (running = undefined));
  };
  const timer = setInterval(start, everyMs);
  timer.unref();
  start();
  return {
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}

export async function showFigures(ctx: Pick<PluginContext, 'db' | 'metrics'>, nowMs: number): Promise<void> {
  const { unreconciled, oldestPendingSeconds } = await readFigures(ctx.db);
  ctx.metrics.set('returnit_payments_unreconciled', unreconciled);
  ctx.metrics.set('returnit_payments_oldest_pending_seconds', oldestPendingSeconds);
  const imbalanceMinor = await sumImbalance(ctx.db, new Date(nowMs - dayMs));
  ctx.metrics.set('returnit_payments_ledger_imbalance_minor', imbalanceMinor);
}
