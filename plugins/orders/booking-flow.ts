import { createHash, randomBytes, randomUUIDv7 } from 'node:crypto';
import type { Database, Metrics, Principal } from '#plugin-api';
import { toActor } from './actor.ts';
import { canonicalText, checkBooking, defaultPaymentMethod, ownershipOf } from './booking.ts';
import type { Ownership } from './booking.ts';
import { toEventData } from './event-data.ts';
import type { OrderErrorCode, Refusal } from './errors.ts';
import type { Actor } from './lifecycle.ts';
import type { NewOrder, Order } from './order.ts';
import { toNewParcels, toParcelCode } from './parcel.ts';
import type { QuotedPrice } from './price.ts';
import { priceBooking } from './pricing.ts';
import { toSearchText } from './search-text.ts';
import type { Settings } from './settings.ts';
import { findOrderByReference, insertOrder } from './store/bookings.ts';
import { findOrder } from './store/orders.ts';
import type { StoredOrder } from './store/rows.ts';
import { takePlace } from './store/windows.ts';
import { placeWanted, type PlaceWanted } from './window.ts';
import { refuseFull, WindowFull } from './window-full.ts';

/** A transaction, too, can serve as one. */
export type BookingDatabase = Pick<Database, 'query' | 'cached' | 'transaction'>;

/** A plugin's context and its settings, as far as booking needs them. */
export interface BookingDeps {
  readonly db: BookingDatabase;
  readonly metrics: Metrics;
  readonly settings: Settings;
}

export interface BookingRequest {
  readonly principal: Principal;
  readonly booking: NewOrder;
  /** The order's id, where the request's `Idempotency-Key` says it. */
  readonly keyedId?: string | undefined;
  readonly traceId?: string | undefined;
  /** What the order's steps are to go on in the trace of. */
  readonly traceparent?: string | undefined;
}

export type BookingOutcome =
  | { readonly kind: 'booked'; readonly stored: StoredOrder }
  /** The same reference or idempotency key has booked it before. */
  | { readonly kind: 'repeated'; readonly stored: StoredOrder }
  | ({ readonly kind: 'refused' } & Refusal);

/** Books an order, or tells why not. It may be asked again with the same reference or key: it books once. */
export async function bookOrder(deps: BookingDeps, request: BookingRequest, nowMs: number): Promise<BookingOutcome> {
  const outcome = await decide(deps, request, nowMs);
  deps.metrics.increment('returnit_orders_booked_total', { outcome: metricOutcomes[outcome.kind] });
  return outcome;
}

const metricOutcomes = { booked: 'accepted', repeated: 'repeated', refused: 'rejected' } as const;

async function decide(deps: BookingDeps, request: BookingRequest, nowMs: number): Promise<BookingOutcome> {
  const { booking, principal, keyedId, traceId = null, traceparent = null } = request;
  const actor = toActor(principal);
  const owner = ownershipOf(booking, principal);
  if ('code' in owner) return { kind: 'refused', ...owner };
  const contentHash = createHash('sha256').update(canonicalText(booking)).digest('hex');
  const orderId = keyedId ?? randomUUIDv7();
  // Looked up before the window is checked: a retry that arrives after the window began is still a retry.
  const key = { actor, reference: booking.reference, contentHash, orderId: keyedId };
  const known = await findRepeated(deps.db, key);
  if (known !== undefined) return known;
  const refusal = checkBooking(booking, nowMs);
  if (refusal !== undefined) return { kind: 'refused', ...refusal };
  const price = await priceBooking(deps, { actor, booking }, nowMs);
  if ('code' in price) return { kind: 'refused', ...price };
  const wanted = placeWanted(booking, nowMs, deps.settings);
  const toInsert = { booking, orderId, contentHash, actor, price, wanted, traceId, traceparent, ...owner };
  const inserted = await insertBooking(deps, toInsert);
  if (inserted !== undefined) return inserted;
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
  readonly price: QuotedPrice;
  readonly wanted: PlaceWanted;
  readonly traceId: string | null;
  readonly traceparent: string | null;
}

async function insertBooking(
  { db, metrics, settings }: BookingDeps,
  toInsert: BookingToInsert,
): Promise<BookingOutcome | undefined> {
  const { booking, actor, price, wanted } = toInsert;
  const parcels = toParcels(booking);
  const codes = parcels.map(({ code }) => code);
  const order = { ...toInsert, createdBy: actor, parcels, searchText: toSearchText(booking, codes) };
  try {
    return await db.transaction(async (tx) => {
      const stored = await insertOrder(tx, order);
      if (stored === undefined) return undefined;
      await tx.events.publish('order.created', {
        ...toEventData(stored, { from: null, actor }),
        payment: {
          amountMinor: price.amountMinor,
          currency: price.currency,
          method: booking.paymentMethod ?? defaultPaymentMethod,
        },
      });
      if (!(await takePlace(tx, order.orderId, wanted))) throw new WindowFull(wanted);
      return { kind: 'booked', stored };
    });
  } catch (error) {
    if (!(error instanceof WindowFull)) throw error;
    metrics.increment('returnit_orders_windows_full_total', { route: 'booking' });
    return { kind: 'refused', ...(await refuseFull(db, error, settings)) };
  }
}

function toParcels(booking: NewOrder): Order['parcels'] {
  return toNewParcels(booking).map(({ description, size, weightGrams }) => ({
    code: toParcelCode(randomBytes(12)),
    description,
    lengthCm: size?.lengthCm ?? null,
    widthCm: size?.widthCm ?? null,
    heightCm: size?.heightCm ?? null,
    weightGrams: weightGrams ?? null,
  }));
}

interface BookingKey {
  readonly actor: Actor;
  readonly reference: string | undefined;
  readonly contentHash: string;
  /** Made from an idempotency key. */
  readonly orderId: string | undefined;
}

/** What became of a booking that was made before under the same key or reference. */
async function findRepeated(db: BookingDatabase, key: BookingKey): Promise<BookingOutcome | undefined> {
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
