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

const conditions = [
  ['customerId', 'customer', 'customer_id ='],
  ['partnerId', 'partner', 'partner_id ='],
  ['driverId', 'driver', 'driver_id ='],
  ['status', 'status', 'status ='],
  ['text', 'text', 'search @@'],
] as const;

const newest: Position = { createdAt: 'infinity', orderId: 'ffffffff-ffff-ffff-ffff-ffffffffffff' };

// A statement for each combination of filters: one for all would be planned for none. There are 32.
function listStatement(given: readonly (typeof conditions)[number][]): Statement {
  const where = given.map(([name, , test], index) =>
    name === 'text' ? `${test} to_tsquery('simple', $${index + 6})` : `${test} $${index + 6}`,
  );
  return {
    name: ['list_orders', ...given.map(([, word]) => word)].join('_'),
    text: `select ${columnsWithParcels},
        to_char(created_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "exactCreatedAt"
      from orders
      where ${['created_at >= $1', 'created_at < $2', '(created_at, order_id) < ($3::timestamptz, $4::uuid)', ...where].join(' and ')}
      order by created_at desc, order_id desc limit $5`,
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
    filter.from ?? '-infinity',
    filter.to ?? 'infinity',
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
