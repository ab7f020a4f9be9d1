import type { PluginContext, WatchDecision } from '#plugin-api';
import type { ArrivalTimes } from './arrival-times.ts';
import { findWatchedOrder } from './store/orders.ts';
import { isShareOpen } from './store/shares.ts';
import {
  decideSharedVisibility,
  decideVisibility,
  isOrderId,
  type OrderPosition,
  type StoredPosition,
  type Visibility,
} from './visibility.ts';

/** The stream of an order's position, beginning with the newest one. */
export function registerLive(ctx: PluginContext, arrivalTimes: ArrivalTimes): void {
  ctx.live.channel('orders/{orderId}/position', async ({ principal, params, link }) => {
    const orderId = params['orderId'] ?? '';
    const order = isOrderId(orderId) ? await findWatchedOrder(ctx.db, orderId) : undefined;
    const driverId = order?.driverId ?? '';
    const show = (position: StoredPosition) => arrivalTimes.show({ orderId, driverId, position });
    if (link === undefined) return toWatchDecision(orderId, decideVisibility(order, principal), show);
    const isOpen = order !== undefined && (await isShareOpen(ctx.db, link, orderId));
    const decision = decideSharedVisibility(order, isOpen);
    ctx.metrics.increment('returnit_tracking_share_watches_total', { outcome: isOpen ? decision.kind : 'ended' });
    return toWatchDecision(orderId, decision, show);
  });
}

async function toWatchDecision(
  orderId: string,
  decision: Visibility,
  show: (position: StoredPosition) => Promise<OrderPosition>,
): Promise<WatchDecision> {
  if (decision.kind === 'hidden') return { allowed: false, reason: decision.reason };
  const { position } = decision;
  if (position === null) return { allowed: true };
  const version = Date.parse(position.recordedAt);
  return { allowed: true, snapshot: { orderId, ...(await show(position)) }, version };
}
