import type { Queryable, Statement } from '#plugin-api';
import type { OrderState, OrderStatus } from '../lifecycle.ts';
import type { Order } from '../order.ts';
import { columnsWithParcels, toStoredOrder, type OrderRowWithParcels } from './rows.ts';

/** Where a page ended. */
export interface Position {
  /** ISO 8601 with microseconds, as the database counts. */
  readonly createdAt: string;
  readonly orderId: string;
}

export interface OrderFilter {
  readonly customerId?: string | undefined;
  readonly partnerId?: string | undefined;
  readonly driverId?: string | undefined;
  readonly status?: OrderStatus | undefined;
  /** A query of Postgres' text search. */
  readonly text?: string | undefined;
  /** Created then or later. */
  readonly from?: string | undefined;
  /** Created earlier. */
  readonly to?: string | undefined;
  /** Older than this; undefined begins with the newest. */
  readonly before?: Position | undefined;
  readonly limit: number;
}

/** Each with the text of its condition; the numbers of its values follow those of the page. */
const conditions = [
  ['customerId', 'customer', (n: number) => `customer_id = $${n}`],
  ['partnerId', 'partner', (n: number) => `partner_id = $${n}`],
  ['driverId', 'driver', (n: number) => `driver_id = $${n}`],
  ['status', 'status', (n: number) => `status = $${n}`],
  ['from', 'from', (n: number) => `created_at >= $${n}`],
  ['to', 'to', (n: number) => `created_at < $${n}`],
  ['text', 'text', (n: number) => `search @@ to_tsquery('simple', $${n})`],
] as const;

const newest: Position = { createdAt: 'infinity', orderId: 'ffffffff-ffff-ffff-ffff-ffffffffffff' };
const isBefore = '(created_at, order_id) < ($1::timestamptz, $2::uuid)';
const newestFirst = 'order by created_at desc, order_id desc';
const selected = `select ${columnsWithParcels},
    to_char(created_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "exactCreatedAt"
  from orders`;

/*
 * A statement for each combination of filters that is used: one for all would be planned for none. How often a text is
 * found nobody can tell beforehand. What has it is therefore looked up first: a search that goes through the newest until
 * it has a page would go through all of them for what is rare.
 */
function listStatement(given: readonly (typeof conditions)[number][]): Statement {
  const where = given.map(([, , toText], index) => toText(index + 4)).join(' and ');
  const name = ['list_orders', ...given.map(([, word]) => word)].join('_');
  if (!given.some(([filter]) => filter === 'text')) {
    const all = where === '' ? isBefore : `${where} and ${isBefore}`;
    return { name, text: `${selected} where ${all} ${newestFirst} limit $3` };
  }
  return {
    name,
    text: `with found as materialized (select order_id, created_at from orders where ${where})
      ${selected} where order_id in (select order_id from found where ${isBefore} ${newestFirst} limit $3) ${newestFirst}`,
  };
}

export interface ListedOrder {
  readonly order: Order & OrderState;
  readonly position: Position;
}

/** Newest first. A page begins where the one before ended, whatever is booked meanwhile. */
export async function listOrders(db: Queryable, filter: OrderFilter): Promise<readonly ListedOrder[]> {
  const given = conditions.filter(([name]) => filter[name] !== undefined);
  const before = filter.before ?? newest;
  const { rows } = await db.query<OrderRowWithParcels & { readonly exactCreatedAt: string }>(listStatement(given), [
    before.createdAt,
    before.orderId,
    filter.limit,
    ...given.map(([name]) => filter[name] ?? null),
  ]);
  return rows.map((row) => ({
    order: toStoredOrder(row, row.parcels).order,
    position: { createdAt: row.exactCreatedAt, orderId: row.order_id },
  }));
}
