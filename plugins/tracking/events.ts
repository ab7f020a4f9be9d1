import type { PluginContext } from '#plugin-api';
import { closeOrder, pauseOrder, trackOrder } from './store/orders.ts';
import { channelOf } from './visibility.ts';

interface OrderStep {
  readonly orderId: string;
  /** Missing in events from before an order could be assigned twice. */
  readonly version?: number;
}

interface OrderAssigned extends OrderStep {
  readonly driverId: string;
}

/** An order is followed from its assignment to its end. */
export function registerEvents(ctx: PluginContext): void {
  ctx.events.on<OrderAssigned>('order.assigned', ({ data, publishedAt }, tx) =>
    trackOrder(tx, {
      orderId: data.orderId,
      driverId: data.driverId,
      assignedAt: publishedAt,
      version: versionOf(data),
    }),
  );

  for (const [event, reason] of [
    ['order.unassigned', 'the driver has given the order back'],
    ['order.pickup_failed', 'the pickup has failed'],
  ] as const) {
    ctx.events.on<OrderStep>(event, async ({ data }, tx) => {
      if (await pauseOrder(tx, data.orderId, versionOf(data))) await ctx.live.close(channelOf(data.orderId), reason);
    });
  }

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

const versionOf = ({ version = 1 }: OrderStep): number => version;
