import type { PluginContext } from '#plugin-api';
import type { Dispatched } from './dispatch.ts';

type Metrics = Pick<PluginContext, 'metrics'>;

/** To be called when the transaction is to be committed. */
export function countDispatched(ctx: Metrics, { outcome, offered, timedOut, waitedSeconds }: Dispatched): void {
  ctx.metrics.increment('returnit_assignments_total', { outcome });
  countOffers(ctx, 'made', offered);
  countOffers(ctx, 'timed_out', timedOut);
  if (waitedSeconds !== undefined) countWon(ctx, waitedSeconds);
}

export function countWon(ctx: Metrics, waitedSeconds: number): void {
  countOffers(ctx, 'accepted', 1);
  observeWait(ctx, { by: 'dispatch', waitedSeconds });
}

export function observeWait(
  ctx: Metrics,
  wait: { readonly by: 'dispatch' | 'ops'; readonly waitedSeconds: number },
): void {
  ctx.metrics.observe('returnit_assign_seconds', wait.waitedSeconds, { by: wait.by });
}

export type OfferOutcome = 'made' | 'accepted' | 'declined' | 'timed_out' | 'withdrawn' | 'lost' | 'late';

export function countOffers(ctx: Metrics, outcome: OfferOutcome, count: number): void {
  if (count > 0) ctx.metrics.increment('returnit_offers_total', { outcome }, count);
}
