import type { Queryable, Statement } from '#plugin-api';

// By the index on status: the table also holds every order that ever was.
const countOpenStatement: Statement = {
  name: 'count_open_orders',
  text: `select status, count(*)::int as count from orders where status = any($1::text[]) group by status`,
};

/** How many orders are in each of these states; what none is in is left out. */
export async function countOrders(db: Queryable, statuses: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const { rows } = await db.query<{ status: string; count: number }>(countOpenStatement, [statuses]);
  return new Map(rows.map(({ status, count }) => [status, count]));
}
