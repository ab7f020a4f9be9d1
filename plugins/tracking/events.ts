import type { PluginContext } from '#plugin-api';
import { closeOrder, trackOrder } from './store/orders.ts';
import { channelOf } from './visibility.ts';

interface OrderAssigned {
  readonly orderId: string;
  readonly driverId: string;
}

/** An order is followed from its assignment to its end. */
export function registerEvents(ctx: PluginContext): void {
  ctx.events.on<OrderAssigned>('order.assigned', ({ data, publishedAt }, tx) =>
    trackOrder(tx, { ...data, assignedAt: publishedAt }),
  );

  for (const [event, reason] of [
    ['order.completed', 'the order is completed'],
    ['order.cancelled', 'the order is cancelled'],
  ] as const) {
    ctx.events.on<{ readonly orderId: string }>(event, async ({ data }, tx) => {
      await closeOrder(tx, data.orderId);
      await ctx.live.close(channelOf(data.orderId), reason);
    });
  }
}
