import type { Actor, OrderStatus } from './lifecycle.ts';
import { volumeOf } from './parcel.ts';
import type { StoredOrder } from './store/rows.ts';

/** The step that an event tells of. */
export interface Made {
  readonly from: OrderStatus | null;
  readonly actor: Actor;
  readonly reason?: string | undefined;
  /** Of a pickup that failed: tries that an order gets. */
  readonly attemptsMax?: number | undefined;
}

/** What subscribers need: who has to do with the order, where, when and how far it is. Addresses stay here. */
export function toEventData(
  { order, version, parcelCount }: StoredOrder,
  { from, actor, reason, attemptsMax }: Made,
): Record<string, unknown> {
  const { address, kind } = order.destination;
  return {
    orderId: order.orderId,
    status: order.status,
    from,
    version,
    attempt: order.attempt,
    customerId: order.customerId,
    partnerId: order.partnerId,
    driverId: order.driverId,
    pickup: { lat: order.pickup.lat, lon: order.pickup.lon },
    pickupWindow: order.pickupWindow,
    destination: { lat: address.lat, lon: address.lon, kind },
    parcels: parcelCount,
    volumeL: volumeOf(order.parcels),
    by: { kind: actor.kind, id: actor.id },
    ...(reason === undefined ? {} : { reason }),
    ...(attemptsMax === undefined ? {} : { attemptsLeft: Math.max(0, attemptsMax - order.attempt) }),
  };
}
