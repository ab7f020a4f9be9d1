import type { Queryable, Statement } from '#plugin-api';
import type { Recipient } from '../facts.ts';

export interface ListedMessage {
  readonly sequence: string;
  readonly notificationId: string;
  readonly orderId: string | null;
  readonly template: string;
  readonly channel: string;
  readonly state: string;
  readonly createdAt: string;
  readonly sentAt: string | null;
}

export interface OwnMessage extends ListedMessage {
  readonly title: string;
  readonly body: string;
}

const columns = `notification_id as "notificationId", order_id as "orderId", template, channel, state,
      created_at as "createdAt", sent_at as "sentAt", sequence::text as sequence`;

const listOwnStatement: Statement = {
  name: 'list_own_notifications',
  text: `select ${columns}, title, body
    from notifications
    where recipient_role = $1 and recipient_id = $2 and ($3::bigint is null or sequence < $3)
      and ($4::text is null or order_id = $4) and state <> 'dropped'
    order by notifications.sequence desc limit $5`,
};

export interface Page {
  readonly before: string | null;
  readonly orderId: string | null;
  readonly limit: number;
}

/** What somebody was told, newest first; without what was never told because it was no longer so. */
export async function listOwn(db: Queryable, { role, id }: Recipient, page: Page): Promise<readonly OwnMessage[]> {
  const { rows } = await db.query<OwnMessage>(listOwnStatement, [role, id, page.before, page.orderId, page.limit]);
  return rows;
}

/** A message as ops sees it: how it went, and not what it says. */
export interface DeliveredMessage extends ListedMessage {
  readonly recipientRole: string;
  readonly recipientId: string;
  readonly eventId: string;
  readonly eventAt: string;
  readonly locale: string;
  readonly attempts: number;
  readonly lastError: string | null;
  readonly dropReason: string | null;
  readonly dueAt: string | null;
  readonly fallbackOf: string | null;
}

const deliveryColumns = `${columns}, recipient_role as "recipientRole", recipient_id as "recipientId",
      event_id as "eventId", event_at as "eventAt", locale, attempts, last_error as "lastError",
      drop_reason as "dropReason", due_at as "dueAt", fallback_of as "fallbackOf"`;

const listOfOrderStatement: Statement = {
  name: 'list_notifications_of_order',
  text: `select ${deliveryColumns}
    from notifications where order_id = $1 and ($2::bigint is null or sequence < $2)
    order by notifications.sequence desc limit $3`,
};

const listAllStatement: Statement = {
  name: 'list_all_notifications',
  text: `select ${deliveryColumns}
    from notifications where ($1::bigint is null or sequence < $1)
    order by notifications.sequence desc limit $2`,
};

/** The delivery log, newest first. */
export async function listDeliveries(db: Queryable, page: Page): Promise<readonly DeliveredMessage[]> {
  const { rows } =
    page.orderId === null
      ? await db.query<DeliveredMessage>(listAllStatement, [page.before, page.limit])
      : await db.query<DeliveredMessage>(listOfOrderStatement, [page.orderId, page.before, page.limit]);
  return rows;
}
