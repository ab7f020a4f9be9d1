/** The log of deliveries, and what people do with it. */
import type { Queryable, Statement } from '#plugin-api';
import type { PartnerScope } from './endpoints.ts';

export interface StoredDelivery {
  readonly deliveryId: string;
  readonly sequence: string;
  readonly messageId: string;
  readonly endpointId: string;
  readonly partnerId: string;
  readonly orderId: string | null;
  readonly type: string;
  readonly state: 'pending' | 'delivered' | 'failed' | 'cancelled';
  readonly attempts: number;
  readonly lastStatus: number | null;
  readonly lastError: string | null;
  readonly createdAt: string;
  readonly dueAt: string | null;
  readonly expiresAt: string;
  readonly finishedAt: string | null;
}

const fields = `d.delivery_id as "deliveryId", d.sequence::text as sequence, d.message_id as "messageId",
  d.endpoint_id as "endpointId", d.partner_id as "partnerId", d.order_id as "orderId", d.type, d.state, d.attempts,
  d.last_status as "lastStatus", d.last_error as "lastError", d.created_at as "createdAt",
  case when d.state = 'pending' then d.due_at end as "dueAt", d.expires_at as "expiresAt", d.finished_at as "finishedAt"`;

export interface DeliveryFilter {
  readonly scope: PartnerScope;
  readonly orderId: string | null;
  readonly endpointId: string | null;
  readonly state: string | null;
  readonly before: string | null;
  readonly limit: number;
}

const columns = { partner: 'd.partner_id', order: 'd.order_id', endpoint: 'd.endpoint_id', state: 'd.state' } as const;
type Filtered = keyof typeof columns;

/**
 * A statement for each set of filters: one for all of them, with `is null or`, would be planned without knowing which of
 * them there are, and read the whole log for a partner with little in it.
 */
export function listStatement(filters: readonly Filtered[]): Statement {
  const conditions = filters.map((filter, index) => `${columns[filter]} = $${index + 3} and`);
  return {
    name: ['list_webhook_deliveries_by', ...filters].join('_'),
    text: `select ${fields} from webhook_deliveries d
    where ${conditions.join(' ')} d.sequence < $1
    order by d.sequence desc limit $2`,
  };
}

/** Above every sequence. */
const afterAll = '9223372036854775807';

/** The newest first. */
export async function listDeliveries(db: Queryable, filter: DeliveryFilter): Promise<readonly StoredDelivery[]> {
  const { scope: partner, orderId: order, endpointId: endpoint, state, before, limit } = filter;
  const wanted = { partner, order, endpoint, state };
  const filters = (Object.keys(columns) as Filtered[]).filter((name) => wanted[name] !== null);
  const values = [before ?? afterAll, limit, ...filters.map((name) => wanted[name])];
  return (await db.query<StoredDelivery>(listStatement(filters), values)).rows;
}

const findDeliveryStatement: Statement = {
  name: 'find_webhook_delivery',
  text: `select ${fields}, m.body from webhook_deliveries d join webhook_messages m using (message_id)
    where d.delivery_id = $1 and ($2::text is null or d.partner_id = $2)`,
};

export async function findDelivery(
  db: Queryable,
  deliveryId: string,
  scope: PartnerScope,
): Promise<(StoredDelivery & { readonly body: string }) | undefined> {
  const { rows } = await db.query<StoredDelivery & { readonly body: string }>(findDeliveryStatement, [
    deliveryId,
    scope,
  ]);
  return rows[0];
}

export interface StoredAttempt {
  readonly attemptedAt: string;
  readonly outcome: string;
  readonly status: number | null;
  readonly latencyMs: number;
  readonly response: string | null;
  readonly error: string | null;
}

const listAttemptsStatement: Statement = {
  name: 'list_webhook_attempts',
  text: `select attempted_at as "attemptedAt", outcome, status, latency_ms as "latencyMs", response, error
    from webhook_attempts where delivery_id = $1 order by attempt_id desc limit $2`,
};

/** The newest first. */
export async function listAttempts(
  db: Queryable,
  deliveryId: string,
  limit: number,
): Promise<readonly StoredAttempt[]> {
  return (await db.query<StoredAttempt>(listAttemptsStatement, [deliveryId, limit])).rows;
}

const redeliverStatement: Statement = {
  name: 'redeliver_webhook',
  text: `update webhook_deliveries set
      state = 'pending', subject = null, attempts_before = attempts, due_at = now(), held_until = null,
      leased_until = null, expires_at = now() + $2 * interval '1 second', finished_at = null
    where delivery_id = $1 and state in ('delivered', 'failed')`,
};

/** It leaves the order of its subject: it holds up nothing that came after it, and waits for nothing. */
export async function redeliver(tx: Queryable, deliveryId: string, retrySeconds: number): Promise<void> {
  await tx.query(redeliverStatement, [deliveryId, retrySeconds]);
}

const hastenStatement: Statement = {
  name: 'hasten_webhook_delivery',
  text: `update webhook_deliveries set due_at = now(), held_until = null
    where delivery_id = $1 and state = 'pending' and (leased_until is null or leased_until <= now())`,
};

/** One that waits is tried now. */
export async function hasten(tx: Queryable, deliveryId: string): Promise<void> {
  await tx.query(hastenStatement, [deliveryId]);
}

const countBacklogStatement: Statement = {
  name: 'count_webhook_backlog',
  text: `select count(*)::integer as count from (
    select from webhook_deliveries where endpoint_id = $1 and state = 'pending' limit $2) waiting`,
};

/** Up to `max`. */
export async function countBacklog(tx: Queryable, endpointId: string, max: number): Promise<number> {
  const { rows } = await tx.query<{ count: number }>(countBacklogStatement, [endpointId, max]);
  return rows[0]?.count ?? 0;
}

const cancelDeliveriesStatement: Statement = {
  name: 'cancel_webhook_deliveries',
  text: `update webhook_deliveries set
      state = 'cancelled', leased_until = null, finished_at = now(), last_error = 'endpoint deleted'
    where endpoint_id = $1 and state = 'pending'`,
};

/** To be called with the endpoint locked. @returns how many */
export async function cancelDeliveries(tx: Queryable, endpointId: string): Promise<number> {
  return (await tx.query(cancelDeliveriesStatement, [endpointId])).rowCount;
}
