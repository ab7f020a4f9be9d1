import type { Queryable, Statement } from '#plugin-api';
import type { HistoryStep, NewOrder, Order, Price } from './order.ts';
import type { Actor, OrderState, OrderStatus } from './lifecycle.ts';

interface OrderRow {
  readonly order_id: string;
  readonly reference: string | null;
  readonly content_hash: string;
  readonly status: OrderStatus;
  readonly customer_id: string;
  readonly partner_id: string | null;
  readonly driver_id: string | null;
  readonly pickup: Order['pickup'];
  readonly window_start: string;
  readonly window_end: string;
  readonly items: Order['items'];
  readonly destination: Order['destination'];
  readonly amount_minor: number;
  readonly currency: string;
  readonly cancel_reason: string | null;
  readonly version: number;
  readonly created_at: string;
  readonly updated_at: string;
}

const columns = `order_id, reference, content_hash, status, customer_id, partner_id, driver_id, pickup, window_start,
  window_end, items, destination, amount_minor, currency, cancel_reason, version, created_at, updated_at`;

/** An order with what only the plugin itself needs to know of it. */
export interface StoredOrder {
  readonly order: Order & OrderState;
  readonly version: number;
  readonly contentHash: string;
}

function toStoredOrder(row: OrderRow): StoredOrder {
  return {
    version: row.version,
    contentHash: row.content_hash,
    order: {
      orderId: row.order_id,
      reference: row.reference,
      status: row.status,
      customerId: row.customer_id,
      partnerId: row.partner_id,
      driverId: row.driver_id,
      pickup: row.pickup,
      pickupWindow: { start: row.window_start, end: row.window_end },
      items: row.items,
      destination: row.destination,
      price: { amountMinor: row.amount_minor, currency: row.currency },
      cancelReason: row.cancel_reason,
      createdAt: row.created_at,
      updatedAt: row.updated_at,
    },
  };
}

export interface OrderToInsert {
  readonly orderId: string;
  readonly booking: NewOrder;
  readonly contentHash: string;
  readonly createdBy: Actor;
  readonly customerId: string;
  readonly partnerId: string | null;
  readonly price: Price;
}

const insertOrderStatement: Statement = {
  name: 'insert_order',
  text: `insert into orders (order_id, reference, content_hash, created_by_role, created_by, customer_id, partner_id,
      pickup, window_start, window_end, items, destination, amount_minor, currency)
    values ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9, $10, $11::jsonb, $12::jsonb, $13, $14)
    on conflict do nothing
    returning ${columns}`,
};

/** Undefined when the id is taken, or the principal has used the reference before. */
export async function insertOrder(db: Queryable, order: OrderToInsert): Promise<StoredOrder | undefined> {
  const { booking } = order;
  const { rows } = await db.query<OrderRow>(insertOrderStatement, [
    order.orderId,
    booking.reference ?? null,
    order.contentHash,
    order.createdBy.kind,
    order.createdBy.id,
    order.customerId,
    order.partnerId,
    JSON.stringify(booking.pickup),
    booking.pickupWindow.start,
    booking.pickupWindow.end,
    JSON.stringify(booking.items),
    JSON.stringify(booking.destination),
    order.price.amountMinor,
    order.price.currency,
  ]);
  return rows[0] && toStoredOrder(rows[0]);
}

const findOrderByReferenceStatement: Statement = {
  name: 'find_order_by_reference',
  text: `select ${columns} from orders where created_by_role = $1 and created_by = $2 and reference = $3`,
};

export async function findOrderByReference(
  db: Queryable,
  createdBy: Actor,
  reference: string,
): Promise<StoredOrder | undefined> {
  const { rows } = await db.query<OrderRow>(findOrderByReferenceStatement, [createdBy.kind, createdBy.id, reference]);
  return rows[0] && toStoredOrder(rows[0]);
}

const findOrderStatement: Statement = {
  name: 'find_order',
  text: `select ${columns} from orders where order_id = $1`,
};

export async function findOrder(db: Queryable, orderId: string): Promise<StoredOrder | undefined> {
  const { rows } = await db.query<OrderRow>(findOrderStatement, [orderId]);
  return rows[0] && toStoredOrder(rows[0]);
}

const findOrderWithHistoryStatement: Statement = {
  name: 'find_order_with_history',
  text: `select ${columns}, (
      select coalesce(json_agg(json_build_object('sequence', sequence, 'from', from_status, 'to', to_status,
        'actorKind', actor_kind, 'actorId', actor_id, 'reason', reason,
        'occurredAt', to_char(occurred_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) order by sequence), '[]')
      from (select * from order_history where order_id = $1 order by sequence limit 100) as steps
    ) as history
    from orders where order_id = $1`,
};

/** One statement: an order is read far more often than anything else. */
export async function findOrderWithHistory(
  db: Queryable,
  orderId: string,
): Promise<{ readonly order: Order & OrderState; readonly history: readonly HistoryStep[] } | undefined> {
  const { rows } = await db.query<OrderRow & { readonly history: readonly HistoryStep[] }>(
    findOrderWithHistoryStatement,
    [orderId],
  );
  return rows[0] && { order: toStoredOrder(rows[0]).order, history: rows[0].history };
}

export interface Move {
  readonly orderId: string;
  readonly from: OrderStatus;
  readonly to: OrderStatus;
  readonly driverId?: string | undefined;
  readonly cancelReason?: string | undefined;
}

const moveOrderStatement: Statement = {
  name: 'move_order',
  text: `update orders
    set status = $3, driver_id = coalesce($4, driver_id), cancel_reason = coalesce($5, cancel_reason),
      version = version + 1, updated_at = now()
    where order_id = $1 and status = $2
    returning ${columns}`,
};

/** Undefined when the order has left the expected status meanwhile: of two that move it at once, one wins. */
export async function moveOrder(db: Queryable, move: Move): Promise<StoredOrder | undefined> {
  const { rows } = await db.query<OrderRow>(moveOrderStatement, [
    move.orderId,
    move.from,
    move.to,
    move.driverId ?? null,
    move.cancelReason ?? null,
  ]);
  return rows[0] && toStoredOrder(rows[0]);
}

export interface HistoryToInsert {
  readonly orderId: string;
  readonly sequence: number;
  readonly from: OrderStatus | null;
  readonly to: OrderStatus;
  readonly actor: Actor;
  readonly reason: string | null;
}

const insertHistoryStatement: Statement = {
  name: 'insert_order_history',
  text: `insert into order_history (order_id, sequence, from_status, to_status, actor_kind, actor_id, reason)
    values ($1, $2, $3, $4, $5, $6, $7)`,
};

export async function insertHistory(db: Queryable, step: HistoryToInsert): Promise<void> {
  await db.query(insertHistoryStatement, [
    step.orderId,
    step.sequence,
    step.from,
    step.to,
    step.actor.kind,
    step.actor.id,
    step.reason,
  ]);
}

export interface OrderFilter {
  readonly actor: Actor;
  readonly status: OrderStatus | null;
  /** Orders older than this one; null begins with the newest. */
  readonly before: string | null;
  readonly limit: number;
}

const ownColumns = { customer: 'customer_id', partner: 'partner_id', driver: 'driver_id' } as const;

function listStatement(name: string, own: string): Statement {
  return {
    name,
    text: `select ${columns} from orders
      where ${own} and ($2::text is null or status = $2) and ($3::uuid is null or order_id < $3)
      order by order_id desc limit $4`,
  };
}

// One statement a role, so that each is planned with its own index.
const listOrdersStatements = {
  customer: listStatement('list_orders_of_customer', `${ownColumns.customer} = $1`),
  partner: listStatement('list_orders_of_partner', `${ownColumns.partner} = $1`),
  driver: listStatement('list_orders_of_driver', `${ownColumns.driver} = $1`),
  ops: listStatement('list_orders', '$1::text is not null'),
};

/** The orders that the actor has to do with, newest first. */
export async function listOrders(db: Queryable, filter: OrderFilter): Promise<(Order & OrderState)[]> {
  const kind = filter.actor.kind === 'system' ? 'ops' : filter.actor.kind;
  const { rows } = await db.query<OrderRow>(listOrdersStatements[kind], [
    filter.actor.id,
    filter.status,
    filter.before,
    filter.limit,
  ]);
  return rows.map((row) => toStoredOrder(row).order);
}
