import type { Queryable, Statement } from '#plugin-api';

/** Rows that go in one statement: it holds their locks, and nobody waits for long. */
const atOnce = 1000;

/*
 * An order that is over takes its visits with it: no fix that may still be taken is from before its end, so nobody
 * arrives any more, and who never left is not waited for. Rows that somebody else holds are for the next run.
 */
const dropFinishedOrdersStatement: Statement = {
  name: 'drop_finished_orders',
  text: `with finished as (
      select order_id from tracked_orders where status = 'closed' and updated_at < $1
      order by updated_at limit ${atOnce} for update skip locked
    ), visits as (
      delete from stop_visits v using finished f where v.order_id = f.order_id returning 1
    ), orders as (
      delete from tracked_orders o using finished f where o.order_id = f.order_id returning 1
    )
    select (select count(*)::int from orders) as orders, (select count(*)::int from visits) as visits`,
};

export interface DroppedOrders {
  readonly orders: number;
  readonly visits: number;
  /** There may be others. */
  readonly hasMore: boolean;
}

/** Deletes some of the orders that were over before this, with what is known of their stops. */
export async function dropFinishedOrders(db: Queryable, beforeMs: number): Promise<DroppedOrders> {
  const { rows } = await db.query<{ orders: number; visits: number }>(dropFinishedOrdersStatement, [
    new Date(beforeMs).toISOString(),
  ]);
  const { orders = 0, visits = 0 } = rows[0] ?? {};
  return { orders, visits, hasMore: orders === atOnce };
}
