import type { Queryable, Statement } from '#plugin-api';

const over = `select order_id from driver_assignments
    where status = 'ended' and history_forgotten_at is null and ended_at < $1::timestamptz
    order by ended_at limit $2 for update skip locked`;

const forgetStatement: Statement = {
  name: 'forget_order_histories',
  text: `with over as (${over}),
      offers as (delete from driver_offers where order_id in (select order_id from over)),
      steps as (delete from driver_assignment_steps where order_id in (select order_id from over))
    update driver_assignments set history_forgotten_at = now() where order_id in (select order_id from over)`,
};

/** Offers and steps of orders that ended before; the orders themselves stay, for events that come late. @returns orders */
export async function forgetHistories(db: Queryable, before: Date, limit: number): Promise<number> {
  return (await db.query(forgetStatement, [before.toISOString(), limit])).rowCount;
}

const forgetShiftsStatement: Statement = {
  name: 'forget_shifts',
  text: `delete from driver_shifts where (driver_id, started_at, kind) in (
    select driver_id, started_at, kind from driver_shifts where ended_at < $1::timestamptz limit $2)`,
};

export async function forgetShifts(db: Queryable, before: Date, limit: number): Promise<number> {
  return (await db.query(forgetShiftsStatement, [before.toISOString(), limit])).rowCount;
}
