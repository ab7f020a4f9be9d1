import type { PluginContext } from '#plugin-api';
import { findWatchedOrder } from './store/orders.ts';
import { decideVisibility, isOrderId, withAge } from './visibility.ts';

/** The stream of an order's position, beginning with the newest one. */
export function registerLive(ctx: PluginContext, now: () => number): void {
  ctx.live.channel('orders/{orderId}/position', async ({ principal, params }) => {
    const orderId = params['orderId'] ?? '';
    const order = isOrderId(orderId) ? await findWatchedOrder(ctx.db, orderId) : undefined;
    const decision = decideVisibility(order, principal);
    if (decision.kind === 'hidden') return { allowed: false, reason: decision.reason };
    const { position } = decision;
    if (position === null) return { allowed: true };
    return {
      allowed: true,
      snapshot: { orderId, ...withAge(position, now()) },
      version: Date.parse(position.recordedAt),
    };
  });
}
