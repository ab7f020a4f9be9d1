import type { PluginContext, Transaction } from '#plugin-api';
import { toPlace } from './assignment.ts';
import { tryAssign, tryWaiting } from './dispatch.ts';
import { endAssignment, insertWaiting } from './store/assignments.ts';
import { findDriver } from './store/drivers.ts';

/** The part of `order.scheduled` that matters here. */
export interface OrderScheduled {
  readonly orderId: string;
  readonly customerId: string;
  readonly pickup: { readonly lat: number; readonly lon: number };
  readonly pickupWindow: { readonly end: string };
}

export function registerEvents(ctx: PluginContext, now: () => number): void {
  ctx.events.on<OrderScheduled>('order.scheduled', async ({ data }, tx) => {
    const { orderId, customerId, pickup, pickupWindow } = data;
    const isNew = await insertWaiting(tx, {
      orderId,
      customerId,
      pickup: toPlace(pickup),
      windowEnd: pickupWindow.end,
    });
    if (!isNew) return;
    const outcome = await tryAssign(tx, { orderId, attempt: 0 }, now);
    ctx.metrics.increment('returnit_assignments_total', { outcome });
  });

  for (const event of ['order.cancelled', 'order.completed']) {
    ctx.events.on<{ readonly orderId: string }>(event, ({ data }, tx) => release(tx, data.orderId));
  }

  ctx.events.on<{ readonly driverId: string }>('driver.located', async ({ data }, tx) => {
    const driver = await findDriver(tx, data.driverId);
    if (driver?.onShift === true) await tryWaiting(tx);
  });
}

async function release(tx: Transaction, orderId: string): Promise<void> {
  const driverId = await endAssignment(tx, orderId);
  if (driverId !== undefined) await tryWaiting(tx);
}
