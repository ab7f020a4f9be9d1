import type { PluginContext, Transaction } from '#plugin-api';
import { toPlace, type UnassignReason } from './assignment.ts';
import { beginTries, dispatch, tryWaiting, type DispatchTools } from './dispatch.ts';
import { countDispatched } from './dispatch-metrics.ts';
import type { CloseReason } from './offer.ts';
import type { Settings } from './settings.ts';
import { insertStep } from './store/assignments.ts';
import { findDriver, isAnyWorking } from './store/drivers.ts';
import {
  endAssignment,
  failAssignment,
  lockForEvent,
  pickUpAssignment,
  scheduleAssignment,
  type Before,
  type OrderFacts,
} from './store/order-events.ts';
import { withdrawOffers } from './unassigning.ts';

interface Point {
  readonly lat: number;
  readonly lon: number;
}

/** The part of an order's events that matters here. What an older publisher does not tell has its usual value. */
export interface OrderEvent {
  readonly orderId: string;
  readonly customerId: string;
  readonly partnerId?: string | null;
  readonly driverId?: string | null;
  readonly attempt?: number;
  readonly pickup: Point;
  readonly pickupWindow: { readonly start?: string; readonly end: string };
  readonly destination?: Point | null;
  readonly parcels?: number;
  readonly volumeL?: number | null;
  readonly reason?: string;
}

export function toFacts(event: OrderEvent): OrderFacts {
  const { orderId, customerId, partnerId = null, attempt = 1, pickupWindow, destination, parcels = 1 } = event;
  return {
    orderId,
    customerId,
    partnerId,
    attempt,
    pickup: toPlace(event.pickup),
    windowStart: pickupWindow.start ?? null,
    windowEnd: pickupWindow.end,
    destination: destination === undefined || destination === null ? null : toPlace(destination),
    parcels: Math.max(1, parcels),
    volumeL: event.volumeL ?? null,
  };
}

export function registerEvents(ctx: PluginContext, tools: DispatchTools): void {
  const { settings } = tools;
  ctx.events.on<OrderEvent>('order.scheduled', ({ data }, tx) => schedule(ctx, tx, { order: toFacts(data), tools }));
  ctx.events.on<OrderEvent>('order.picked_up', ({ data }, tx) => pickUp(ctx, tx, data));
  ctx.events.on<OrderEvent>('order.pickup_failed', ({ data }, tx) => fail(tx, data, settings));
  for (const [name, reason] of [
    ['order.cancelled', 'cancelled'],
    ['order.delivered', 'delivered'],
    ['order.completed', 'completed'],
  ] as const) {
    ctx.events.on<OrderEvent>(name, ({ data }, tx) => end(tx, { event: data, reason, settings }));
  }

  ctx.events.on<{ readonly driverIds: readonly string[] }>('driver.located', async ({ data }, tx) => {
    if (await isAnyWorking(tx, data.driverIds)) await tryWaiting(tx, settings);
  });
}

async function schedule(
  ctx: PluginContext,
  tx: Transaction,
  { order, tools }: { readonly order: OrderFacts; readonly tools: DispatchTools },
): Promise<void> {
  const { orderId } = order;
  const before = await lockForEvent(tx, orderId);
  const scheduled = await scheduleAssignment(tx, order, ctx.traceparent() ?? null);
  if (scheduled === undefined) return;
  await withdrawOffers(tx, orderId, 'rescheduled');
  await recordEnd(tx, { orderId, before, step: 'failed', reason: 'rescheduled' });
  if (scheduled.status === 'held') return;
  const { round } = scheduled;
  // Of an order that others may hold the lock of, drivers are not to be locked now: a job does it in everybody's order.
  if (!scheduled.isNew) return beginTries(tx, orderId, round);
  countDispatched(ctx, await dispatch(tx, { orderId, round, tries: 0 }, tools));
}

/** Who has the parcels has the order, even if it was taken from that driver for its silence a moment before. */
async function pickUp(ctx: PluginContext, tx: Transaction, event: OrderEvent): Promise<void> {
  const { orderId, driverId = null } = event;
  if (driverId === null || (await findDriver(tx, driverId)) === undefined) {
    ctx.log.warn('an order was picked up by nobody who is known here', { orderId });
    return;
  }
  const before = await lockForEvent(tx, orderId);
  const sequence = await pickUpAssignment(tx, { ...toFacts(event), driverId });
  if (sequence === undefined) return;
  await withdrawOffers(tx, orderId, 'taken');
  if (before?.driverId === driverId) return;
  const { attempt = 1 } = event;
  await insertStep(tx, {
    orderId,
    sequence,
    step: 'assigned',
    attempt,
    driverId,
    byKind: 'system',
    byId: 'orders',
    reason: 'picked_up',
  });
  await letGo(tx, { event, before, sequence, reason: 'withdrawn' });
}

async function fail(tx: Transaction, event: OrderEvent, settings: Settings): Promise<void> {
  const { orderId, customerId, attempt = 1, reason = 'pickup failed' } = event;
  const before = await lockForEvent(tx, orderId);
  const sequence = await failAssignment(tx, { orderId, customerId, attempt });
  if (sequence === undefined) return;
  await withdrawOffers(tx, orderId, 'pickup_failed');
  await recordEnd(tx, { orderId, before, step: 'failed', reason });
  await letGo(tx, { event, before, sequence, reason: 'withdrawn' });
  if (before?.driverId !== null && before !== undefined) await tryWaiting(tx, settings);
}

interface Ended {
  readonly event: OrderEvent;
  readonly reason: 'cancelled' | 'delivered' | 'completed';
  readonly settings: Settings;
}

async function end(tx: Transaction, { event, reason, settings }: Ended): Promise<void> {
  const { orderId, customerId = null, attempt = 1 } = event as Partial<OrderEvent> & { readonly orderId: string };
  const before = await lockForEvent(tx, orderId);
  const sequence = await endAssignment(tx, { orderId, customerId, attempt });
  if (sequence === undefined) return;
  const isCancelled = reason === 'cancelled';
  const closing: CloseReason = isCancelled ? 'cancelled' : 'taken';
  await withdrawOffers(tx, orderId, closing);
  await recordEnd(tx, { orderId, before, step: 'ended', reason });
  await letGo(tx, { event, before, sequence, reason: isCancelled ? 'cancelled' : 'withdrawn' });
  if (before?.driverId !== null && before !== undefined) await tryWaiting(tx, settings);
}

interface End {
  readonly orderId: string;
  readonly before: Before | undefined;
  readonly step: 'failed' | 'ended';
  readonly reason: string;
}

/** Of what was heard of before: an order that is over before it was known has no story here. */
async function recordEnd(tx: Transaction, { orderId, before, step, reason }: End): Promise<void> {
  if (before === undefined || before.status === 'failed') return;
  const { attempt, sequence, driverId } = before;
  await insertStep(tx, {
    orderId,
    sequence: sequence + 1,
    step,
    attempt,
    driverId,
    byKind: 'system',
    byId: 'orders',
    reason: reason.slice(0, 200),
  });
}

interface LetGo {
  readonly event: Partial<OrderEvent> & { readonly orderId: string };
  readonly before: Before | undefined;
  readonly sequence: number;
  readonly reason: UnassignReason;
}

/**
 * Whoever has the order here while its event names another driver, or none, is told that it has it no more. So it is with
 * who accepts in the moment in which the order is cancelled: the order has not heard of that driver, and nobody else
 * would tell it.
 */
async function letGo(tx: Transaction, { event, before, sequence, reason }: LetGo): Promise<void> {
  const driverId = before?.driverId ?? null;
  if (driverId === null || driverId === event.driverId) return;
  const { orderId, customerId = null, attempt = 1 } = event;
  await tx.events.publish('driver.unassigned', { orderId, customerId, driverId, attempt, sequence, reason });
}
