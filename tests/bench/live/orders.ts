import { randomUUID } from 'node:crypto';
import type { Rig } from '../../support/ingest/rig.ts';

export interface UnderWay {
  readonly orderId: string;
  readonly customerId: string;
}

/** An order on the way for each driver, as booking, assignment and start would have left it: to book so many takes minutes. */
export async function putUnderWay(rig: Rig): Promise<readonly UnderWay[]> {
  const orders = rig.devices.map(({ driverId }) => ({ orderId: randomUUID(), customerId: `of-${driverId}`, driverId }));
  const columns = [
    orders.map(({ orderId }) => orderId),
    orders.map(({ customerId }) => customerId),
    orders.map(({ driverId }) => driverId),
  ];
  await rig.database.with(async (client) => {
    await client.query(
      `insert into orders.orders (order_id, content_hash, created_by_role, created_by, customer_id, driver_id, status,
        pickup, window_start, window_end, destination, amount_minor, currency)
      select order_id, order_id::text, 'customer', customer_id, customer_id, driver_id, 'on_the_way',
        '{"lat": 48.2, "lon": 11.7}', now(), now() + interval '2 hours',
        '{"kind": "store", "address": {"lat": 48.3, "lon": 11.8}}', 100, 'EUR'
      from unnest($1::uuid[], $2::text[], $3::text[]) as o (order_id, customer_id, driver_id)`,
      columns,
    );
    await client.query(
      `insert into tracking.tracked_orders (order_id, driver_id, status)
      select order_id, driver_id, 'active' from unnest($1::text[], $2::text[]) as o (order_id, driver_id)`,
      [columns[0], columns[2]],
    );
  });
  return orders;
}
