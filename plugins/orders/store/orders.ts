import type { Queryable, Statement } from '#plugin-api';
import type { Actor, OrderAction, OrderState, OrderStatus } from '../lifecycle.ts';
import type { HistoryStep, Order } from '../order.ts';
import { columnsWithParcels, toStoredOrder, type OrderRowWithParcels, type StoredOrder } from './rows.ts';

const findOrderStatement: Statement = {
  name: 'find_order',
  text: `select ${columnsWithParcels} from orders where order_id = $1`,
};

export async function findOrder(db: Queryable, orderId: string): Promise<StoredOrder | undefined> {
  const { rows } = await db.query<OrderRowWithParcels>(findOrderStatement, [orderId]);
  return rows[0] && toStoredOrder(rows[0], rows[0].parcels);
}

const lockOrderStatement: Statement = {
  name: 'lock_order',
  text: `select ${columnsWithParcels} from orders where order_id = $1 for update`,
};

/** The order as it is until this transaction ends: who else wants to change it waits. */
export async function lockOrder(tx: Queryable, orderId: string): Promise<StoredOrder | undefined> {
  const { rows } = await tx.query<OrderRowWithParcels>(lockOrderStatement, [orderId]);
  return rows[0] && toStoredOrder(rows[0], rows[0].parcels);
}

export const findOrderWithHistoryStatement: Statement = {
  name: 'find_order_with_history',
  text: `select ${columnsWithParcels}, (
      select coalesce(json_agg(json_build_object('sequence', sequence, 'action', action, 'from', from_status,
        'to', to_status, 'actorKind', actor_kind, 'actorId', actor_id, 'reason', reason, 'traceId', trace_id,
        'occurredAt', to_char(occurred_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) order by sequence), '[]')
      from (select * from order_history where order_id = $1 order by sequence limit 1000) as steps
    ) as history
    from orders where order_id = $1`,
};

/** One statement: an order is read far more often than anything else. */
export async function findOrderWithHistory(
  db: Queryable,
  orderId: string,
): Promise<{ readonly order: Order & OrderState; readonly history: readonly HistoryStep[] } | undefined> {
  const { rows } = await db.query<OrderRowWithParcels & { readonly history: readonly HistoryStep[] }>(
    findOrderWithHistoryStatement,
    [orderId],
  );
  return rows[0] && { order: toStoredOrder(rows[0], rows[0].parcels).order, history: rows[0].history };
}

const listAbandonedStatement: Statement = {
  name: 'list_abandoned_orders',
  text: `select order_id as "orderId" from orders
    where status = 'pickup_failed' and updated_at < now() - $1 * interval '1 millisecond'
    order by updated_at limit $2`,
};

/** Those whose pickup failed so long ago, the oldest first. */
export async function listAbandoned(db: Queryable, abandonMs: number, limit: number): Promise<readonly string[]> {
  const { rows } = await db.query<{ readonly orderId: string }>(listAbandonedStatement, [abandonMs, limit]);
  return rows.map(({ orderId }) => orderId);
}

/** What a step makes of an order; what is left out stays. */
export interface OrderChanges {
  readonly status?: OrderStatus;
  readonly driverId?: string | null;
  readonly attempt?: number;
  readonly assignmentSequence?: number;
  readonly pickupWindow?: Order['pickupWindow'];
  readonly notes?: string | null;
  readonly cancelReason?: string | null;
  readonly failureReason?: string | null;
}

const updateOrderStatement: Statement = {
  name: 'update_order',
  text: `update orders
    set status = $3, driver_id = $4, attempt = $5, assignment_sequence = $6, window_start = $7, window_end = $8,
      notes = $9, cancel_reason = $10, failure_reason = $11, version = version + 1, updated_at = now(),
      assigned_at = case when $3 = 'assigned' and status <> 'assigned' then now() else assigned_at end
    where order_id = $1 and version = $2
    returning ${columnsWithParcels}`,
};

/**
 * Writes the next version of an order that this transaction has locked.
 *
 * @throws {TypeError} when the order is not as it was read
 */
export async function updateOrder(tx: Queryable, stored: StoredOrder, changes: OrderChanges): Promise<StoredOrder> {
  const next = { ...stored.order, assignmentSequence: stored.assignmentSequence, ...changes };
  const { rows } = await tx.query<OrderRowWithParcels>(updateOrderStatement, [
    next.orderId,
    stored.version,
    next.status,
    next.driverId,
    next.attempt,
    next.assignmentSequence,
    next.pickupWindow.start,
    next.pickupWindow.end,
    next.notes,
    next.cancelReason,
    next.failureReason,
  ]);
  const [row] = rows;
  if (row === undefined) throw new TypeError(`Cannot update order '${next.orderId}': it was not locked before`);
  return toStoredOrder(row, row.parcels);
}

const noteAssignmentStatement: Statement = {
  name: 'note_assignment',
  text: `update orders set assignment_sequence = $2
    where order_id = $1 and assignment_sequence < $2 and status not in ('completed', 'cancelled')`,
};

/** Remembers that news of an assignment came, so that older ones change nothing. No step: the version stays. */
export async function noteAssignment(tx: Queryable, orderId: string, sequence: number): Promise<void> {
  await tx.query(noteAssignmentStatement, [orderId, sequence]);
}

export interface HistoryToInsert {
  readonly orderId: string;
  readonly sequence: number;
  readonly action: OrderAction | 'edit';
  readonly from: OrderStatus;
  readonly to: OrderStatus;
  readonly actor: Actor;
  readonly reason: string | null;
  readonly traceId: string | null;
}

const insertHistoryStatement: Statement = {
  name: 'insert_order_history',
  text: `insert into order_history (order_id, sequence, action, from_status, to_status, actor_kind, actor_id, reason,
      trace_id)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
};

export async function insertHistory(tx: Queryable, step: HistoryToInsert): Promise<void> {
  await tx.query(insertHistoryStatement, [
    step.orderId,
    step.sequence,
    step.action,
    step.from,
    step.to,
    step.actor.kind,
    step.actor.id,
    step.reason,
    step.traceId,
  ]);
}
