import type { Transaction } from '#plugin-api';
import { recordAssigned } from './accepting.ts';
import type { Actor, UnassignReason } from './assignment.ts';
import { beginTries } from './dispatch.ts';
import type { CloseReason } from './offer.ts';
import { pushClosed } from './pushing.ts';
import { insertStep } from './store/assignments.ts';
import { markOffered } from './store/candidates.ts';
import { assignDriver, holdAssignment, releaseHeld, unassignDriver, type Accepted } from './store/deciding.ts';
import { closeOffersOfOrder } from './store/offers.ts';

export interface Unassignment {
  readonly orderId: string;
  readonly driverId: string;
  readonly reason: UnassignReason;
  readonly by: Actor;
  /** What was said of it; @default the reason alone */
  readonly note?: string | undefined;
}

/**
 * Takes an order from a driver who has not picked it up, and looks for another. False when the driver has not got it, or has
 * its parcels. To be called with the driver locked.
 */
export async function unassign(tx: Transaction, unassignment: Unassignment): Promise<boolean> {
  const { orderId } = unassignment;
  const round = await takeAway(tx, unassignment, { to: 'waiting', holdReason: null });
  if (round === undefined) return false;
  await beginTries(tx, orderId, round);
  return true;
}

async function takeAway(
  tx: Transaction,
  { orderId, driverId, reason, by, note }: Unassignment,
  target: { readonly to: 'waiting' | 'held'; readonly holdReason: string | null },
): Promise<number | undefined> {
  const taken = await unassignDriver(tx, { orderId, driverId, ...target });
  if (taken === undefined) return undefined;
  const { customerId, attempt, sequence, round } = taken;
  await insertStep(tx, {
    orderId,
    sequence,
    step: 'unassigned',
    attempt,
    driverId,
    byKind: by.kind,
    byId: by.id,
    reason,
  });
  await tx.events.publish('driver.unassigned', {
    orderId,
    customerId,
    driverId,
    attempt,
    sequence,
    reason,
    ...(note === undefined ? {} : { note }),
  });
  return round;
}

export interface ByHand {
  readonly orderId: string;
  readonly by: Actor;
}

/** Gives an order that waits, is held or found nobody to a driver. To be called with the driver locked. */
export async function assignByHand(
  tx: Transaction,
  { orderId, driverId, by }: ByHand & { readonly driverId: string },
): Promise<Accepted | undefined> {
  const decided = await assignDriver(tx, orderId, driverId);
  if (decided === undefined) return undefined;
  await withdrawOffers(tx, orderId, 'assigned_by_ops');
  await markOffered(tx, [driverId]);
  await recordAssigned(tx, { orderId, driverId, decided, by });
  return decided;
}

/** From one driver to another at once, without being offered to anybody. To be called with both drivers locked. */
export async function reassignByHand(
  tx: Transaction,
  { orderId, from, to, by }: ByHand & { readonly from: string; readonly to: string },
): Promise<Accepted | undefined> {
  const unassignment = { orderId, driverId: from, reason: 'reassigned', by } as const;
  const round = await takeAway(tx, unassignment, { to: 'waiting', holdReason: null });
  return round === undefined ? undefined : assignByHand(tx, { orderId, driverId: to, by });
}

/** Nobody is asked until it is released. With its driver, who is locked, when it has one. */
export async function holdByHand(
  tx: Transaction,
  { orderId, driverId, reason, by }: ByHand & { readonly driverId: string | null; readonly reason: string },
): Promise<boolean> {
  if (driverId !== null) {
    const unassignment = { orderId, driverId, reason: 'withdrawn', by, note: reason } as const;
    return (await takeAway(tx, unassignment, { to: 'held', holdReason: reason })) !== undefined;
  }
  const held = await holdAssignment(tx, orderId, reason);
  if (held === undefined) return false;
  await withdrawOffers(tx, orderId, 'held');
  const { attempt, sequence } = held;
  await insertStep(tx, {
    orderId,
    sequence,
    step: 'held',
    attempt,
    driverId: null,
    byKind: by.kind,
    byId: by.id,
    reason,
  });
  return true;
}

/** Looks for a driver again: of an order that was held, or that found nobody. */
export async function releaseByHand(tx: Transaction, { orderId, by }: ByHand): Promise<boolean> {
  const released = await releaseHeld(tx, orderId);
  if (released === undefined) return false;
  const { attempt, sequence, round } = released;
  await insertStep(tx, {
    orderId,
    sequence,
    step: 'released',
    attempt,
    driverId: null,
    byKind: by.kind,
    byId: by.id,
    reason: null,
  });
  await beginTries(tx, orderId, round);
  return true;
}

export async function withdrawOffers(tx: Transaction, orderId: string, reason: CloseReason): Promise<number> {
  const closed = await closeOffersOfOrder(tx, orderId, { state: 'withdrawn', reason });
  await pushClosed(tx, closed, reason);
  return closed.length;
}
