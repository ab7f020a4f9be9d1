import type { PluginContext } from '#plugin-api';

type Metrics = Pick<PluginContext, 'metrics'>;

export type OfferOutcome = 'made' | 'accepted' | 'declined' | 'timed_out' | 'withdrawn' | 'lost' | 'late';

export function countOffers(ctx: Metrics, outcome: OfferOutcome, count: number): void {
  if (count > 0) ctx.metrics.increment('returnit_offers_total', { outcome }, count);
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
