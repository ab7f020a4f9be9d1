import type { PluginContext } from '#plugin-api';
import { sumImbalance } from '../ledger/ledger-store.ts';
import { findRun } from '../store/reconciliations.ts';
import { forgetWebhookEvents } from '../store/webhooks.ts';
import { reconcileQueue, startRuns, takeRunStep, type RunDeps } from './run.ts';

/** Without a run: the schedule's, that begins one. */
interface ReconcileJob {
  readonly runId?: string;
}

export function registerReconciliation(
  ctx: PluginContext,
  deps: RunDeps,
  options: { readonly cron: string; readonly webhookRetentionMs: number },
): void {
  ctx.jobs.work<ReconcileJob>(
    reconcileQueue,
    async ({ data, signal }) => {
      if (data.runId === undefined) {
        await startRuns(deps);
        await forgetWebhookEvents(ctx.db, new Date(deps.now() - options.webhookRetentionMs));
        return;
      }
      const run = await findRun(ctx.db, data.runId);
      if (run === undefined || (await takeRunStep(deps, run, signal)) !== 'done') return;
      // All of it, once a night; the gauge between looks at the last day.
      ctx.metrics.set('returnit_payments_ledger_imbalance_minor', await sumImbalance(ctx.db, null));
      ctx.log.info('payments reconciled', { runId: run.runId, provider: run.provider });
    },
    { concurrency: 1 },
  );
  ctx.jobs.schedule(reconcileQueue, options.cron);
}
