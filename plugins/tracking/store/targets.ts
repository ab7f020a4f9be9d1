import type { Queryable, Statement } from '#plugin-api';

/** The stop that is next for an order. */
export interface Target {
  readonly orderId: string;
  readonly stop: string;
  readonly lat: number;
  readonly lon: number;
  readonly arrivedAt: string | null;
}

const listTargetsStatement: Statement = {
  name: 'list_targets_of_orders',
  text: `select s.order_id as "orderId", s.stop, s.lat, s.lon, v.arrived_at as "arrivedAt"
    from orders.order_stops s
    left join stop_visits v on v.order_id = s.order_id::text and v.stop = s.stop
    where s.order_id = any($1::uuid[])
      and ((s.status in ('on_the_way', 'arrived') and s.stop = 'pickup') or (s.status = 'picked_up' and s.stop = 'destination'))`,
};

/** Where the drivers of these orders are going; none for an order whose driver has not set out or is done. */
export async function listTargets(db: Queryable, orderIds: readonly string[]): Promise<readonly Target[]> {
  const { rows } = await db.query<Target>(listTargetsStatement, [orderIds]);
  return rows;
}
