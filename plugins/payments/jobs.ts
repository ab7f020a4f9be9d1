import type { PluginContext } from '#plugin-api';
import { doOperation, type AskDeps } from './ask.ts';
import { attempts, operationKinds, queueOf, type OperationKind } from './operation.ts';
import { changePayment } from './progress.ts';
import { findFirstOperation } from './store/operations.ts';
import { findPaymentOf } from './store/payments.ts';
import { giveUp, type Policy } from './wishes.ts';

/** Those with an order were sent before operations had ids. */
type OperationJob = { readonly operationId: string } | { readonly orderId: string };

export function registerJobs(ctx: PluginContext, deps: AskDeps): void {
  for (const kind of operationKinds) {
    ctx.jobs.work<OperationJob>(queueOf(kind), async (job) => {
      const operationId = await idOf(ctx, kind, job.data);
      if (operationId === undefined) return;
      try {
        await doOperation(deps, { operationId, kind }, job);
      } catch (error) {
        if (kind === 'authorise' && job.attempt >= attempts.waitedFor) await stopWaiting(ctx, deps.policy, operationId);
        throw error;
      }
    });
  }
}

async function idOf(ctx: PluginContext, kind: OperationKind, data: OperationJob): Promise<string | undefined> {
  return 'operationId' in data ? data.operationId : findFirstOperation(ctx.db, data.orderId, kind);
}

/** Whatever failed: an order must not wait for ever. The job goes on to ask, so that what was reserved is given back. */
async function stopWaiting(ctx: PluginContext, policy: Policy, operationId: string): Promise<void> {
  const paymentId = await findPaymentOf(ctx.db, operationId);
  if (paymentId === undefined) return;
  let hasWaited = false;
  await ctx.db.transaction((tx) =>
    changePayment(tx, { key: { paymentId }, policy }, (draft) => {
      hasWaited = giveUp(draft);
    }),
  );
  if (!hasWaited) return;
  ctx.metrics.increment('returnit_payments_total', { operation: 'authorise', outcome: 'unavailable' });
  ctx.log.error('payment given up: the provider does not answer', { paymentId });
}
