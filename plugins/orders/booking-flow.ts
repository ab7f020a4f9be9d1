import { createHash } from 'node:crypto';
import type { Database, Metrics, Principal } from '#plugin-api';
import { toActor } from './actor.ts';
import { canonicalText, checkBooking, defaultPaymentMethod, ownershipOf, priceOf, type Ownership } from './booking.ts';
import type { OrderErrorCode } from './errors.ts';
import type { Actor } from './lifecycle.ts';
import { toOrderId } from './order-id.ts';
import type { NewOrder } from './order.ts';
import { toEventData } from './progress.ts';
import type { Settings } from './settings.ts';
import { findOrder, findOrderByReference, insertHistory, insertOrder, type StoredOrder } from './store.ts';

/** A plugin's context and its settings, as far as booking needs them. */
export interface BookingDeps {
  readonly db: Database;
  readonly metrics: Metrics;
  readonly settings: Settings;
}

export interface BookingRequest {
  readonly principal: Principal;
  readonly booking: NewOrder;
  /** The order's id is made from it. Another route that books prefixes it with its own name. */
  readonly idempotencyKey?: string | undefined;
  readonly traceId?: string | undefined;
}

export type BookingOutcome =
  | { readonly kind: 'booked'; readonly stored: StoredOrder }
  /** The same reference or idempotency key has booked it before. */
  | { readonly kind: 'repeated'; readonly stored: StoredOrder }
  | {
      readonly kind: 'refused';
      readonly code: OrderErrorCode;
      readonly detail: string;
      /** Members of the problem beside code and detail. */
      readonly extensions?: Readonly<Record<string, unknown>>;
    };

/** Books an order, or tells why not. It may be asked again with the same reference or key: it books once. */
export async function bookOrder(deps: BookingDeps, request: BookingRequest, nowMs: number): Promise<BookingOutcome> {
  const outcome = await decide(deps, request, nowMs);
  deps.metrics.increment('returnit_orders_booked_total', { outcome: metricOutcomes[outcome.kind] });
  return outcome;
}

const metricOutcomes = { booked: 'accepted', repeated: 'repeated', refused: 'rejected' } as const;

async function decide(deps: BookingDeps, request: BookingRequest, nowMs: number): Promise<BookingOutcome> {
  const { booking, principal, idempotencyKey } = request;
  const actor = toActor(principal);
  const owner = ownershipOf(booking, principal);
  if ('code' in owner) return { kind: 'refused', ...owner };
  const contentHash = createHash('sha256').update(canonicalText(booking)).digest('hex');
  const orderId = toOrderId(actor, idempotencyKey);
  // Looked up before the window is checked: a retry that arrives after the window began is still a retry.
  const key = { actor, reference: booking.reference, contentHash, orderId: idempotencyKey && orderId };
  const known = await findRepeated(deps.db, key);
  if (known !== undefined) return known;
  const refusal = checkBooking(booking, nowMs);
  if (refusal !== undefined) return { kind: 'refused', ...refusal };
  const stored = await insertBooking(deps.db, { booking, orderId, contentHash, actor, ...owner });
  if (stored !== undefined) return { kind: 'booked', stored };
  // Another request with the same reference or key has committed since the look-up above.
  const raced = await findRepeated(deps.db, key);
  if (raced !== undefined) return raced;
  return {
    kind: 'refused',
    code: 'ORDER_CHANGED_MEANWHILE',
    detail: 'Cannot book the order: send the request again',
  };
}

interface BookingToInsert extends Ownership {
  readonly booking: NewOrder;
  readonly orderId: string;
  readonly contentHash: string;
  readonly actor: Actor;
}

function insertBooking(db: Database, booked: BookingToInsert): Promise<StoredOrder | undefined> {
  const { booking, orderId, actor } = booked;
  return db.transaction(async (tx) => {
    const price = priceOf(booking.items);
    const stored = await insertOrder(tx, { ...booked, createdBy: actor, price });
    if (stored === undefined) return undefined;
    await insertHistory(tx, { orderId, sequence: 1, from: null, to: 'created', actor, reason: null });
    await tx.events.publish('order.created', {
      ...toEventData(stored),
      payment: { ...price, method: booking.paymentMethod ?? defaultPaymentMethod },
    });
    return stored;
  });
}

interface BookingKey {
  readonly actor: Actor;
  readonly reference: string | undefined;
  readonly contentHash: string;
  /** Made from an idempotency key. */
  readonly orderId: string | undefined;
}

/** What became of a booking that was made before under the same key or reference. */
async function findRepeated(db: Database, key: BookingKey): Promise<BookingOutcome | undefined> {
  const { actor, reference, orderId } = key;
  const byKey = orderId === undefined ? undefined : await findOrder(db, orderId);
  if (byKey !== undefined) return compare(byKey, key, { code: 'ORDER_KEY_CONFLICT', what: 'its idempotency key' });
  const byReference = reference === undefined ? undefined : await findOrderByReference(db, actor, reference);
  if (byReference === undefined) return undefined;
  return compare(byReference, key, { code: 'ORDER_REFERENCE_CONFLICT', what: `reference '${reference}'` });
}

function compare(
  stored: StoredOrder,
  { contentHash }: BookingKey,
  { code, what }: { readonly code: OrderErrorCode; readonly what: string },
): BookingOutcome {
  if (stored.contentHash === contentHash) return { kind: 'repeated', stored };
  return { kind: 'refused', code, detail: `Cannot book the order: ${what} stands for an order with other content` };
}
