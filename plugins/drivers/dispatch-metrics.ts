import type { PluginContext } from '#plugin-api';
import type { Dispatched } from './dispatch.ts';
import { countOffers, countWon } from './offer-metrics.ts';

/** To be called when the transaction is to be committed. */
export function countDispatched(
  ctx: Pick<PluginContext, 'metrics'>,
  { outcome, offered, timedOut, waitedSeconds }: Dispatched,
): void {
  ctx.metrics.increment('returnit_assignments_total', { outcome });
  countOffers(ctx, 'made', offered);
  countOffers(ctx, 'timed_out', timedOut);
  if (waitedSeconds !== undefined) countWon(ctx, waitedSeconds);
}
