import type { PluginContext } from '#plugin-api';
import type { EventOptions } from './events.ts';
import type { Actor } from './lifecycle.ts';
import { takeStepOf, type StepRules } from './progress.ts';
import { countStep } from './step-metrics.ts';
import { listAbandoned, lockOrder } from './store/orders.ts';

const abandonQueue = 'orders.abandon';
/** In one statement; each is then cancelled in a transaction of its own. */
const batchMax = 100;

const orders: Actor = { kind: 'system', id: 'orders' };

/** Once an hour, orders whose pickup failed and for which nobody has chosen a new time are cancelled. */
export function registerAbandoning(ctx: PluginContext, { settings, now }: EventOptions): void {
  ctx.jobs.work(
    abandonQueue,
    async ({ signal }) => {
      for (;;) {
        const orderIds = await listAbandoned(ctx.db, settings.abandonMs, batchMax);
        for (const orderId of orderIds) {
          if (signal.aborted) return;
          await abandon(ctx, orderId, { settings, nowMs: now(), continueTrace: ctx.continueTrace });
        }
        if (orderIds.length < batchMax) return;
      }
    },
    { concurrency: 1 },
  );
  ctx.jobs.schedule(abandonQueue, '37 * * * *');
}

async function abandon(ctx: PluginContext, orderId: string, rules: StepRules): Promise<void> {
  const outcome = await ctx.db.transaction(async (tx) => {
    const stored = await lockOrder(tx, orderId);
    // Its owner was faster.
    if (stored?.order.status !== 'pickup_failed') return undefined;
    const reason = stored.order.failureReason ?? 'pickup_failed';
    const step = { orderId, action: 'cancel', actor: orders, reason, traceId: ctx.traceId() ?? null } as const;
    return takeStepOf(tx, stored, { step, rules });
  });
  if (outcome === undefined) return;
  countStep(ctx, { action: 'cancel', outcome, nowMs: rules.nowMs });
  ctx.log.info('order cancelled: its pickup failed and no new time was chosen', { orderId });
}
