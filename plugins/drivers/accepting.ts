import type { PluginContext, Transaction } from '#plugin-api';
import type { Actor } from './assignment.ts';
import { transition, type Offer } from './offer.ts';
import { pushClosed } from './pushing.ts';
import { hasRoom, type Size } from './ranking.ts';
import type { Settings } from './settings.ts';
import { findAssignment, insertStep } from './store/assignments.ts';
import { lockDrivers, readFacts, type DriverFacts } from './store/candidates.ts';
import { acceptAssignment, type Accepted } from './store/deciding.ts';
import { closeOffer, closeOffersOfOrder, findOffer } from './store/offers.ts';
import { sizeOf, toLoad } from './vehicle.ts';

/** Why a driver does not get an order that it was offered. */
export type TooLate =
  /** Another driver accepted it first, or ops gave it to one. */
  | { readonly code: 'OFFER_TAKEN'; readonly takenAt: string | null }
  | { readonly code: 'OFFER_EXPIRED'; readonly expiredAt: string }
  /** By ops, or since the order is cancelled, held or over. */
  | { readonly code: 'OFFER_WITHDRAWN'; readonly because: string }
  | { readonly code: 'OFFER_DECLINED' }
  /** The driver itself: suspended, off shift, on a break. */
  | { readonly code: 'DRIVER_NOT_AVAILABLE'; readonly because: string }
  | { readonly code: 'DRIVER_FULL' };

export type AcceptOutcome =
  | { readonly kind: 'won'; readonly accepted: Accepted }
  /** It had won before: a repeated request. */
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'missing' }
  | { readonly kind: 'refused'; readonly why: TooLate };

export type AcceptSettings = Pick<Settings, 'ordersMax' | 'parcelVolumeL'>;

export interface Acceptance {
  readonly offerId: string;
  readonly driverId: string;
  /** Of the order, where somebody else than its dispatch accepts. @default none */
  readonly continueTrace?: PluginContext['continueTrace'];
}

/**
 * A driver takes an order that it was offered. Of all who try, one conditional update decides; the driver is locked before
 * it, so that two orders at once do not overfill a vehicle, and since everybody locks drivers before assignments nobody
 * waits in a circle.
 */
export async function acceptOffer(
  tx: Transaction,
  { offerId, driverId, continueTrace = (_, work) => work() }: Acceptance,
  settings: AcceptSettings,
): Promise<AcceptOutcome> {
  await lockDrivers(tx, [driverId]);
  const offer = await findOffer(tx, offerId);
  if (offer === undefined || offer.driverId !== driverId) return { kind: 'missing' };
  const assignment = await findAssignment(tx, offer.orderId);
  if (transition(offer.state, 'accept').kind === 'unchanged') {
    return assignment?.driverId === driverId
      ? { kind: 'unchanged' }
      : { kind: 'refused', why: { code: 'OFFER_WITHDRAWN', because: 'unassigned' } };
  }
  const facts = (await readFacts(tx, [driverId], settings.parcelVolumeL)).get(driverId);
  const size = sizeOf({ parcels: offer.parcels, volumeL: assignment?.volumeL ?? null }, settings);
  const unfit = facts === undefined ? ({ kind: 'missing' } as const) : refusalOf(facts, size, settings);
  if (unfit !== undefined) return unfit;
  return continueTrace(assignment?.traceparent ?? null, () => take(tx, offer));
}

async function take(tx: Transaction, offer: Offer): Promise<AcceptOutcome> {
  const accepted = await acceptAssignment(tx, offer);
  if (accepted === undefined) return { kind: 'refused', why: await explain(tx, offer.offerId) };
  await settle(tx, offer, accepted);
  return { kind: 'won', accepted };
}

function refusalOf(facts: DriverFacts, size: Size, { ordersMax }: AcceptSettings): AcceptOutcome | undefined {
  const because = whyNotAvailable(facts);
  if (because !== undefined) return { kind: 'refused', why: { code: 'DRIVER_NOT_AVAILABLE', because } };
  return hasRoom(toLoad(facts), size, ordersMax) ? undefined : { kind: 'refused', why: { code: 'DRIVER_FULL' } };
}

/** Undefined when nothing keeps the driver from being given an order. */
export function whyNotAvailable(
  facts: Pick<DriverFacts, 'status' | 'onShift' | 'onBreak'>,
): 'suspended' | 'not approved' | 'off shift' | 'on a break' | undefined {
  if (facts.status === 'suspended') return 'suspended';
  if (facts.status !== 'approved') return 'not approved';
  if (!facts.onShift) return 'off shift';
  return facts.onBreak ? 'on a break' : undefined;
}

async function settle(tx: Transaction, offer: Offer, accepted: Accepted): Promise<void> {
  const { orderId, driverId, offerId } = offer;
  if (!(await closeOffer(tx, offerId, { state: 'accepted', reason: null }))) {
    // Whoever closes an open offer has the driver locked, or moves the assignment on: never between the update and this.
    throw new Error(`Cannot accept offer '${offerId}': it is closed, and its assignment was not`);
  }
  await pushClosed(tx, await closeOffersOfOrder(tx, orderId, { state: 'lost', reason: 'taken' }), 'taken');
  await recordAssigned(tx, { orderId, driverId, decided: accepted, by: { kind: 'driver', id: driverId } });
}

export interface AssignedRecord {
  readonly orderId: string;
  readonly driverId: string;
  readonly decided: Pick<Accepted, 'customerId' | 'attempt' | 'sequence'>;
  readonly by: Actor;
}

/** Who, when and why; and the event. */
export async function recordAssigned(
  tx: Transaction,
  { orderId, driverId, decided, by }: AssignedRecord,
): Promise<void> {
  const { customerId, attempt, sequence } = decided;
  await insertStep(tx, {
    orderId,
    sequence,
    step: 'assigned',
    attempt,
    driverId,
    byKind: by.kind,
    byId: by.id,
    reason: null,
  });
  await tx.events.publish('driver.assigned', {
    orderId,
    customerId,
    driverId,
    attempt,
    sequence,
    by: by.kind === 'ops' ? 'ops' : 'dispatch',
  });
}

/** Read anew: what kept the update from changing anything has committed by now. */
async function explain(tx: Transaction, offerId: string): Promise<TooLate> {
  const offer = await findOffer(tx, offerId);
  if (offer === undefined) throw new Error(`Cannot explain offer '${offerId}': it is gone`);
  const assignment = await findAssignment(tx, offer.orderId);
  switch (offer.state) {
    case 'declined':
      return { code: 'OFFER_DECLINED' };
    case 'timed_out':
      return { code: 'OFFER_EXPIRED', expiredAt: offer.expiresAt };
    case 'lost':
      return { code: 'OFFER_TAKEN', takenAt: offer.closedAt };
    case 'withdrawn':
      return { code: 'OFFER_WITHDRAWN', because: offer.reason ?? 'withdrawn' };
    default:
      // Still open: it is the assignment that has moved on, or the time is over and nobody has put it down yet.
      if (assignment?.status === 'waiting') return { code: 'OFFER_EXPIRED', expiredAt: offer.expiresAt };
      if (assignment?.status === 'accepted' || assignment?.status === 'assigned') {
        return { code: 'OFFER_TAKEN', takenAt: assignment.assignedAt };
      }
      return { code: 'OFFER_WITHDRAWN', because: assignment?.status ?? 'ended' };
  }
}
