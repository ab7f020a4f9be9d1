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

/** How often a step is tried when others move the same order: each of them takes it further, and the way has 7 steps. */
const attemptsMax = 8;

/**
 * Takes an order one step further: state, history and event in one transaction, or none of them. When another was faster,
 * the step is decided again by what the order is now; `raced` is what is left when others always were.
 */
export async function takeStep(tx: Transaction, step: Step): Promise<Outcome> {
  for (let attempt = 1; attempt < attemptsMax; attempt += 1) {
    const outcome = await tryStep(tx, step);
    if (outcome.kind !== 'raced') return outcome;
  }
  return tryStep(tx, step);
}

async function tryStep(tx: Transaction, step: Step): Promise<Outcome> {
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
