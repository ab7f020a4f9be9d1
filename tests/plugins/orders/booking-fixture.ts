import type { NewOrder } from '../../../plugins/orders/order.ts';

const address = {
  line1: 'Leopoldstrasse 1',
  city: 'Munich',
  region: 'Bavaria',
  postalCode: '80802',
  country: 'DE',
  lat: 48.16,
  lon: 11.58,
};

/** A booking that is right but for what is given; its window is in the next hours. */
export function toBooking(changes: Partial<NewOrder> = {}): NewOrder {
  return {
    pickup: address,
    pickupWindow: {
      start: new Date(Date.now() + 3_600_000).toISOString(),
      end: new Date(Date.now() + 7_200_000).toISOString(),
    },
    items: [{ description: 'Shoes', quantity: 1 }],
    destination: { kind: 'store', name: 'Shoe store', address: { ...address, lat: 48.14, lon: 11.57 } },
    ...changes,
  };
}
