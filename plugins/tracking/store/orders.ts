import type { Queryable, Statement } from '#plugin-api';
import type { WatchedOrder } from '../visibility.ts';

const trackOrderStatement: Statement = {
  name: 'track_order',
  text: `insert into tracked_orders (order_id, driver_id, status, updated_at) values ($1, $2, 'active', $3)
    on conflict (order_id) do nothing`,
};

export interface AssignedOrder {
  readonly orderId: string;
  readonly driverId: string;
  /** Fixes from then on have to do with the order, however late this is learnt. */
  readonly assignedAt: string;
}

/** Does nothing for an order that is over: events may overtake each other. */
export async function trackOrder(db: Queryable, { orderId, driverId, assignedAt }: AssignedOrder): Promise<void> {
  await db.query(trackOrderStatement, [orderId, driverId, assignedAt]);
}

const closeOrderStatement: Statement = {
  name: 'close_tracked_order',
  text: `insert into tracked_orders (order_id, status) values ($1, 'closed')
    on conflict (order_id) do update set status = 'closed', updated_at = now()`,
};

export async function closeOrder(db: Queryable, orderId: string): Promise<void> {
  await db.query(closeOrderStatement, [orderId]);
}

// Asked of the orders themselves: an answer from the events alone would lag behind what the customer has just been told.
const findWatchedOrderStatement: Statement = {
  name: 'find_watched_order',
  text: `select o.customer_id as "customerId", o.partner_id as "partnerId", o.driver_id as "driverId", o.status,
      case when p.driver_id is null then null else json_build_object(
        'lat', p.lat, 'lon', p.lon,
        'recordedAt', to_char(p.recorded_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        'accuracyM', p.accuracy_m, 'speedMps', p.speed_mps, 'headingDeg', p.heading_deg) end as position
    from orders.order_summary o
    left join newest_positions p on p.driver_id = o.driver_id
    where o.order_id = $1::uuid`,
};

/** An order with its driver's newest position. */
export async function findWatchedOrder(db: Queryable, orderId: string): Promise<WatchedOrder | undefined> {
  const { rows } = await db.query<WatchedOrder>(findWatchedOrderStatement, [orderId]);
  return rows[0];
}
