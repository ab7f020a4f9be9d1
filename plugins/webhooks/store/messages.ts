/** From an event to deliveries that wait. */
import type { Queryable, Statement } from '#plugin-api';
import type { Message } from '../payload.ts';

const insertMessageStatement: Statement = {
  name: 'insert_webhook_message',
  text: `insert into webhook_messages (message_id, partner_id, type, order_id, subject, rank, body)
    select $1, $2, $3, $4, $5, $6, $7
    where exists (select from webhook_endpoints e where e.partner_id = $2 and e.deleted_at is null)
    on conflict (message_id) do nothing
    returning message_id`,
};

/** False when the partner has no endpoint, or has the message already. */
export async function insertMessage(tx: Queryable, message: Message): Promise<boolean> {
  const { messageId, partnerId, type, orderId, subject, rank, body } = message;
  const values = [messageId, partnerId, type, orderId, subject, rank, body];
  return (await tx.query(insertMessageStatement, values)).rowCount === 1;
}

const hasMessageStatement: Statement = {
  name: 'has_webhook_message',
  text: 'select from webhook_messages where subject = $1 and rank = $2 limit 1',
};

export async function hasMessage(tx: Queryable, subject: string, rank: number): Promise<boolean> {
  return (await tx.query(hasMessageStatement, [subject, rank])).rowCount > 0;
}

const queueDeliveriesStatement: Statement = {
  name: 'queue_webhook_deliveries',
  text: `insert into webhook_deliveries
      (endpoint_id, message_id, partner_id, order_id, type, subject, rank, state, due_at, held_until, expires_at, last_error, finished_at)
    select e.endpoint_id, m.message_id, m.partner_id, m.order_id, m.type, m.subject, m.rank,
      case when backlog.is_full then 'failed' else 'pending' end,
      now(), case when $3 > 0 then now() + $3 * interval '1 second' end, now() + $4 * interval '1 second',
      case when backlog.is_full then 'backlog full' end, case when backlog.is_full then now() end
    from webhook_messages m
    join webhook_endpoints e on e.partner_id = m.partner_id and e.deleted_at is null
    cross join lateral (
      select count(*) >= $5 as is_full from (
        select from webhook_deliveries d where d.endpoint_id = e.endpoint_id and d.state = 'pending' limit $5) waiting
    ) backlog
    where m.message_id = $1 and e.event_types && $2::text[]
    on conflict (endpoint_id, message_id) do nothing
    returning state`,
};

export interface QueueOptions {
  /** What an endpoint may have asked for to get it: 'order.created', 'order.*'. */
  readonly asked: readonly string[];
  /** How long the deliveries wait for the one before them; 0 when it is there. */
  readonly holdSeconds: number;
  /** How long they are tried. */
  readonly retrySeconds: number;
  readonly backlogMax: number;
}

/** A delivery for each endpoint that wants it, also one that is disabled; of one whose backlog is full a failed one. */
export async function queueDeliveries(
  tx: Queryable,
  messageId: string,
  options: QueueOptions,
): Promise<{ readonly queued: number; readonly dropped: number }> {
  const values = [messageId, options.asked, options.holdSeconds, options.retrySeconds, options.backlogMax];
  const { rows } = await tx.query<{ state: string }>(queueDeliveriesStatement, values);
  const dropped = rows.filter(({ state }) => state === 'failed').length;
  return { queued: rows.length - dropped, dropped };
}

const insertTestStatement: Statement = {
  name: 'insert_webhook_test',
  text: `insert into webhook_messages (message_id, partner_id, type, rank, body) values ($1, $2, $3, 0, $4)
    on conflict (message_id) do nothing`,
};

export async function insertTestMessage(
  tx: Queryable,
  message: { readonly messageId: string; readonly partnerId: string; readonly type: string; readonly body: string },
): Promise<void> {
  await tx.query(insertTestStatement, [message.messageId, message.partnerId, message.type, message.body]);
}

const queueTestStatement: Statement = {
  name: 'queue_webhook_test',
  text: `insert into webhook_deliveries
      (endpoint_id, message_id, partner_id, type, rank, state, due_at, expires_at)
    select $2, m.message_id, m.partner_id, m.type, m.rank, 'pending', now(), now() + $3 * interval '1 second'
    from webhook_messages m where m.message_id = $1
    on conflict (endpoint_id, message_id) do update set message_id = excluded.message_id
    returning delivery_id as "deliveryId"`,
};

export async function queueTest(
  tx: Queryable,
  test: { readonly messageId: string; readonly endpointId: string; readonly retrySeconds: number },
): Promise<string> {
  const values = [test.messageId, test.endpointId, test.retrySeconds];
  const { rows } = await tx.query<{ deliveryId: string }>(queueTestStatement, values);
  const [row] = rows;
  if (row === undefined) throw new Error(`Cannot queue test '${test.messageId}': it has no message`);
  return row.deliveryId;
}
