import { Type, type Static } from 'typebox';
import type { Principal } from '#plugin-api';
import { Eta } from './eta.ts';

const nullableNumber = Type.Union([Type.Number(), Type.Null()]);

const positionFields = {
  lat: Type.Number({ minimum: -90, maximum: 90 }),
  lon: Type.Number({ minimum: -180, maximum: 180 }),
  recordedAt: Type.String({ format: 'date-time', maxLength: 40 }),
  accuracyM: nullableNumber,
  speedMps: nullableNumber,
  headingDeg: nullableNumber,
};

/** The newest position as it is stored. */
export type StoredPosition = Static<ReturnType<typeof Type.Object<typeof positionFields>>>;

export const OrderPosition = Type.Object(
  {
    ...positionFields,
    ageSeconds: Type.Integer({ minimum: 0, description: 'How old the position was when this was sent' }),
    eta: Type.Union([Eta, Type.Null()]),
  },
  { additionalProperties: false },
);
export type OrderPosition = Static<typeof OrderPosition>;

/** What is shown of a position. A phone's clock may go ahead; nothing is younger than now. */
export function toShown(
  position: StoredPosition,
  { eta, nowMs }: { readonly eta: Eta | null; readonly nowMs: number },
): OrderPosition {
  const ageSeconds = Math.max(0, Math.round((nowMs - Date.parse(position.recordedAt)) / 1000));
  return { ...position, ageSeconds, eta };
}

/** An order as far as it decides who may see its driver. */
export interface WatchedOrder {
  readonly customerId: string;
  /** Who booked it for the customer; null when nobody did. */
  readonly partnerId: string | null;
  readonly driverId: string | null;
  readonly status: string;
  readonly position: StoredPosition | null;
}

export type Visibility =
  | { readonly kind: 'visible'; readonly position: StoredPosition | null }
  | { readonly kind: 'hidden'; readonly reason: string };

/** Those whom the driver is on the way to: from then to the completion, and at no other time. */
const underWay = { name: "'on the way'", statuses: new Set(['on_the_way', 'arrived', 'picked_up', 'delivered']) };
/** Those who organise the way: from the assignment on. */
const assigned = { name: 'the assignment', statuses: new Set(['assigned', ...underWay.statuses]) };

/** Whether someone may see where an order's driver is. Of others' orders not even the existence is told. */
export function decideVisibility(order: WatchedOrder | undefined, principal: Principal): Visibility {
  if (order === undefined || !isInvolved(order, principal)) {
    return { kind: 'hidden', reason: 'no order of yours has this id' };
  }
  return decideByStatus(order, principal.role === 'customer' ? underWay : assigned);
}

/** Whether a share link shows the driver: as the customer would see it, while the link is open. */
export function decideSharedVisibility(order: WatchedOrder | undefined, isOpen: boolean): Visibility {
  if (order === undefined || !isOpen) return { kind: 'hidden', reason: 'the link has expired or was revoked' };
  return decideByStatus(order, underWay);
}

function decideByStatus(order: WatchedOrder, { name, statuses }: typeof underWay): Visibility {
  if (statuses.has(order.status)) return { kind: 'visible', position: order.position };
  const reason = `a position is shown from ${name} to the completion: the order is '${order.status}'`;
  return { kind: 'hidden', reason };
}

/** Whether someone may share where an order's driver is; `over` when there is nothing left to see. */
export function decideSharing(order: WatchedOrder | undefined, principal: Principal): 'allowed' | 'over' | 'hidden' {
  if (order === undefined || principal.role === 'driver' || !isInvolved(order, principal)) return 'hidden';
  return order.status === 'completed' || order.status === 'cancelled' ? 'over' : 'allowed';
}

function isInvolved(order: WatchedOrder, principal: Principal): boolean {
  if (principal.role === 'ops') return true;
  if (principal.role === 'customer') return order.customerId === principal.id;
  if (principal.role === 'partner') return order.partnerId === principal.id;
  return principal.role === 'driver' && order.driverId === principal.id;
}

const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * A channel's parameter is any text; only this may reach a query. In small letters, as orders write their ids: a channel of
 * another spelling would hear nothing of the order's end.
 */
export function isOrderId(text: string): boolean {
  return uuidPattern.test(text);
}

export function channelOf(orderId: string): string {
  return `orders/${orderId.toLowerCase()}/position`;
}
