import type { Refusal } from './errors.ts';
import type { NewOrder } from './order.ts';
import { parcelsMax, toNewParcels } from './parcel.ts';
import { checkWindow } from './window.ts';

export const defaultPaymentMethod = 'tok_default';

/** What the schema cannot say of a booking. */
export function checkBooking(booking: NewOrder, nowMs: number): Refusal | undefined {
  return checkPlaces(booking) ?? checkParcels(booking) ?? checkWindow(booking.pickupWindow, nowMs);
}

function checkPlaces(booking: NewOrder): Refusal | undefined {
  for (const [name, place] of [
    ['pickup', booking.pickup],
    ['destination.address', booking.destination.address],
  ] as const) {
    const refusal = checkPlace(name, place);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

export function checkPlace(
  name: string,
  { lat, lon }: { readonly lat: number; readonly lon: number },
): Refusal | undefined {
  if (lat !== 0 || lon !== 0) return undefined;
  return {
    code: 'ORDER_ADDRESS_INVALID',
    detail: `'${name}' must have the coordinates of the address: they are 0, 0, what failed geocoding gives`,
  };
}

function checkParcels(booking: NewOrder): Refusal | undefined {
  const refused = (detail: string): Refusal => ({ code: 'ORDER_PARCELS_INVALID', detail });
  if ((booking.parcels === undefined) === (booking.items === undefined)) {
    return refused("There must be either 'parcels' or 'items'");
  }
  const count = toNewParcels(booking).length;
  return count > parcelsMax ? refused(`An order has at most ${parcelsMax} parcels: these are ${count}`) : undefined;
}

export interface Ownership {
  readonly customerId: string;
  readonly partnerId: string | null;
}

/** A customer books for himself, a partner for one of its customers. */
export function ownershipOf(
  booking: Pick<NewOrder, 'customerId'>,
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
