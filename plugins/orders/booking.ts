import type { OrderErrorCode } from './errors.ts';
import type { NewOrder, Price } from './order.ts';

const dayMs = 86_400_000;
export const windowLengthMaxMs = 7 * dayMs;
export const windowAheadMaxMs = 90 * dayMs;
/** A customer who takes a while to fill in the form, or whose clock is slow, still gets "now". */
export const windowPastToleranceMs = 15 * 60_000;

export const defaultPaymentMethod = 'tok_default';

const pickupFeeMinor = 590;
const furtherItemFeeMinor = 100;

export interface Refusal {
  readonly code: OrderErrorCode;
  readonly detail: string;
}

/** What the schema cannot say of a booking. */
export function checkBooking(booking: NewOrder, nowMs: number): Refusal | undefined {
  for (const [name, { lat, lon }] of [
    ['pickup', booking.pickup],
    ['destination.address', booking.destination.address],
  ] as const) {
    if (lat === 0 && lon === 0) {
      return {
        code: 'ORDER_ADDRESS_INVALID',
        detail: `'${name}' must have the coordinates of the address: they are 0, 0, what failed geocoding gives`,
      };
    }
  }
  return checkWindow(booking.pickupWindow, nowMs);
}

function checkWindow(window: NewOrder['pickupWindow'], nowMs: number): Refusal | undefined {
  const startMs = Date.parse(window.start);
  const endMs = Date.parse(window.end);
  const refused = (detail: string): Refusal => ({ code: 'ORDER_WINDOW_INVALID', detail });
  if (!Number.isFinite(startMs) || !Number.isFinite(endMs)) {
    return refused("'pickupWindow' must have two points in time, such as 2026-05-04T09:00:00Z");
  }
  if (endMs <= startMs) return refused("'pickupWindow.end' must be after 'pickupWindow.start'");
  if (endMs - startMs > windowLengthMaxMs) return refused("'pickupWindow' must not be longer than 7 days");
  if (startMs < nowMs - windowPastToleranceMs || endMs <= nowMs) {
    return refused(
      "'pickupWindow' must not lie in the past: 'start' may be 15 minutes ago at most, 'end' must be ahead",
    );
  }
  if (startMs > nowMs + windowAheadMaxMs) return refused("'pickupWindow.start' must be within the next 90 days");
  return undefined;
}

/** A flat fee for the way, and a little for each further item. */
export function priceOf(items: NewOrder['items']): Price {
  const count = items.reduce((sum, item) => sum + item.quantity, 0);
  return { amountMinor: pickupFeeMinor + furtherItemFeeMinor * (count - 1), currency: 'EUR' };
}

export interface Ownership {
  readonly customerId: string;
  readonly partnerId: string | null;
}

/** A customer books for himself, a partner for one of its customers. */
export function ownershipOf(
  booking: NewOrder,
  principal: { readonly id: string; readonly role: string },
): Ownership | Refusal {
  if (principal.role === 'partner') {
    return booking.customerId === undefined
      ? { code: 'ORDER_CUSTOMER_INVALID', detail: "'customerId' must say whose order it is when a partner books" }
      : { customerId: booking.customerId, partnerId: principal.id };
  }
  if (booking.customerId !== undefined && booking.customerId !== principal.id) {
    return { code: 'ORDER_CUSTOMER_INVALID', detail: "'customerId' must be the caller's own id or be left out" };
  }
  return { customerId: principal.id, partnerId: null };
}

/** The booking as one text in which the order of members does not matter: the content behind a reference. */
export function canonicalText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    members.sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonicalText(member)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}
