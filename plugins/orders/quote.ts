import { Type, type Static } from 'typebox';
import type { NewOrder } from './order.ts';
import { DestinationKind, lat, lon, PickupWindow } from './order.ts';
import { parcelsMax, toNewParcels } from './parcel.ts';
import { QuotedPrice, type Priced } from './price.ts';
import { closed, id, instant } from './text-schemas.ts';

const Place = Type.Object({ lat, lon }, closed);

export const NewQuote = Type.Object(
  {
    pickup: Place,
    destination: Type.Object({ kind: DestinationKind, lat, lon }, closed),
    pickupWindow: PickupWindow,
    parcels: Type.Integer({ minimum: 1, maximum: parcelsMax, description: 'How many' }),
  },
  closed,
);
export type NewQuote = Static<typeof NewQuote>;

export const Quote = Type.Object({ quoteId: id, price: QuotedPrice, expiresAt: instant }, closed);
export type Quote = Static<typeof Quote>;

/** What a quote would have been asked about a booking. */
export function toQuoted(booking: NewOrder): NewQuote {
  const { pickup, destination, pickupWindow } = booking;
  return {
    pickup: { lat: pickup.lat, lon: pickup.lon },
    destination: { kind: destination.kind, lat: destination.address.lat, lon: destination.address.lon },
    pickupWindow,
    parcels: toNewParcels(booking).length,
  };
}

export function toPriced({ pickup, destination, pickupWindow, parcels }: NewQuote): Priced {
  return { pickup, destination, pickupWindow, parcelCount: parcels };
}

/** Names of the members in which a booking is not what was quoted. A moment may be written in another zone. */
export function differencesOf(quoted: NewQuote, booked: NewQuote): readonly string[] {
  const samePlace = (a: Static<typeof Place>, b: Static<typeof Place>): boolean => a.lat === b.lat && a.lon === b.lon;
  const sameTime = (a: string, b: string): boolean => Date.parse(a) === Date.parse(b);
  const same = {
    pickup: samePlace(quoted.pickup, booked.pickup),
    destination:
      samePlace(quoted.destination, booked.destination) && quoted.destination.kind === booked.destination.kind,
    pickupWindow:
      sameTime(quoted.pickupWindow.start, booked.pickupWindow.start) &&
      sameTime(quoted.pickupWindow.end, booked.pickupWindow.end),
    parcels: quoted.parcels === booked.parcels,
  };
  return Object.entries(same).flatMap(([name, isSame]) => (isSame ? [] : [name]));
}
