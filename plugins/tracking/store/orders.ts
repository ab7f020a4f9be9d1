import type { Queryable, Statement } from '#plugin-api';
import type { WatchedOrder } from '../visibility.ts';

const trackOrderStatement: Statement = {
  name: 'track_order',
  text: `with tracked as (
      insert into tracked_orders as t (order_id, driver_id, status, updated_at, version)
      values ($1, $2, 'active', $3, $4)
      on conflict (order_id) do update
        set driver_id = excluded.driver_id, status = 'active', updated_at = excluded.updated_at,
          version = excluded.version
        where t.status <> 'closed' and t.version < excluded.version
      returning order_id
    )
    delete from stop_visits v using tracked where v.order_id = tracked.order_id`,
};

export interface AssignedOrder {
  readonly orderId: string;
  readonly driverId: string;
  /** Fixes from then on have to do with the order, however late this is learnt. */
  readonly assignedAt: string;
  /** The order's: it grows with each of its steps. */
  readonly version: number;
}

/**
 * Whoever had the order before has nothing to do with it any more, nor have visits of that time. Does nothing for an order
 * that is over, or of which something newer is known: events may overtake each other.
 */
export async function trackOrder(db: Queryable, order: AssignedOrder): Promise<void> {
  await db.query(trackOrderStatement, [order.orderId, order.driverId, order.assignedAt, order.version]);
}

const pauseOrderStatement: Statement = {
  name: 'pause_tracked_order',
  text: `insert into tracked_orders as t (order_id, status, version) values ($1, 'paused', $2)
    on conflict (order_id) do update set status = 'paused', updated_at = now(), version = excluded.version
      where t.status <> 'closed' and t.version < excluded.version`,
};

/** For an order that has no driver on its way. False when something newer is known. */
export async function pauseOrder(db: Queryable, orderId: string, version: number): Promise<boolean> {
  const { rowCount } = await db.query(pauseOrderStatement, [orderId, version]);
  return rowCount === 1;
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
