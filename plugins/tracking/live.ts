import type { PluginContext, WatchDecision } from '#plugin-api';
import { findWatchedOrder } from './store/orders.ts';
import { isShareOpen } from './store/shares.ts';
import { decideSharedVisibility, decideVisibility, isOrderId, withAge, type Visibility } from './visibility.ts';

/** The stream of an order's position, beginning with the newest one. */
export function registerLive(ctx: PluginContext, now: () => number): void {
  ctx.live.channel('orders/{orderId}/position', async ({ principal, params, link }) => {
    const orderId = params['orderId'] ?? '';
    const order = isOrderId(orderId) ? await findWatchedOrder(ctx.db, orderId) : undefined;
    if (link === undefined) return toWatchDecision(orderId, decideVisibility(order, principal), now());
    const isOpen = order !== undefined && (await isShareOpen(ctx.db, link, orderId));
    const decision = decideSharedVisibility(order, isOpen);
    ctx.metrics.increment('returnit_tracking_share_watches_total', { outcome: isOpen ? decision.kind : 'ended' });
    return toWatchDecision(orderId, decision, now());
  });
}

function toWatchDecision(orderId: string, decision: Visibility, nowMs: number): WatchDecision {
  if (decision.kind === 'hidden') return { allowed: false, reason: decision.reason };
  const { position } = decision;
  if (position === null) return { allowed: true };
  const version = Date.parse(position.recordedAt);
  return { allowed: true, snapshot: { orderId, ...withAge(position, nowMs) }, version };
}
