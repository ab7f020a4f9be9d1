import type { Transaction } from '#plugin-api';
import { transition, type Actor, type OrderAction } from './lifecycle.ts';
import { findOrder, insertHistory, moveOrder, type StoredOrder } from './store.ts';

export interface Step {
  readonly orderId: string;
  readonly action: OrderAction;
  readonly actor: Actor;
  readonly reason?: string | undefined;
  /** Of `assign`. */
  readonly driverId?: string | undefined;
}

export type Outcome =
  | { readonly kind: 'moved'; readonly stored: StoredOrder }
  | { readonly kind: 'unchanged'; readonly stored: StoredOrder }
  | { readonly kind: 'missing' }
  | { readonly kind: 'raced' }
  | { readonly kind: 'refused'; readonly detail: string };

/** Takes an order one step further: state, history and event in one transaction, or none of them. */
export async function takeStep(tx: Transaction, step: Step): Promise<Outcome> {
  const stored = await findOrder(tx, step.orderId);
  if (stored === undefined) return { kind: 'missing' };
  const decision = transition(stored.order, step.action, step.actor);
  if (decision.kind === 'hidden') return { kind: 'missing' };
  if (decision.kind === 'unchanged') return { kind: 'unchanged', stored };
  if (decision.kind === 'refused') return decision;
  const moved = await moveOrder(tx, {
    orderId: step.orderId,
    from: decision.from,
    to: decision.to,
    driverId: step.driverId,
    cancelReason: decision.to === 'cancelled' ? step.reason : undefined,
  });
  if (moved === undefined) return { kind: 'raced' };
  await insertHistory(tx, {
    orderId: step.orderId,
    sequence: moved.version,
    from: decision.from,
    to: decision.to,
    actor: step.actor,
    reason: step.reason ?? null,
  });
  await tx.events.publish(decision.event, toEventData(moved, step.reason));
  return { kind: 'moved', stored: moved };
}

/** What subscribers need: who has to do with the order, where and when. Addresses stay here. */
export function toEventData({ order }: StoredOrder, reason?: string): Record<string, unknown> {
  return {
    orderId: order.orderId,
    status: order.status,
    customerId: order.customerId,
    partnerId: order.partnerId,
    driverId: order.driverId,
    pickup: { lat: order.pickup.lat, lon: order.pickup.lon },
    pickupWindow: order.pickupWindow,
    ...(reason === undefined ? {} : { reason }),
  };
}
