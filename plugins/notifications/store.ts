import type { Queryable, Statement } from '#plugin-api';
import type { Notification, Recipient } from './notification.ts';

export interface NotificationToInsert {
  readonly eventId: string;
  readonly channel: string;
  readonly recipient: Recipient;
  readonly orderId: string;
  readonly template: string;
  readonly title: string;
  readonly body: string;
}

const insertNotificationStatement: Statement = {
  name: 'insert_notification',
  text: `insert into notifications
      (event_id, channel, recipient_role, recipient_id, order_id, template, title, body)
    values ($1, $2, $3, $4, $5, $6, $7, $8)
    on conflict (event_id, channel) do nothing
    returning notification_id as "notificationId"`,
};

/** The id of the new notification; undefined when the event has its message on this channel already. */
export async function insertNotification(db: Queryable, message: NotificationToInsert): Promise<string | undefined> {
  const { rows } = await db.query<{ notificationId: string }>(insertNotificationStatement, [
    message.eventId,
    message.channel,
    message.recipient.role,
    message.recipient.id,
    message.orderId,
    message.template,
    message.title,
    message.body,
  ]);
  return rows[0]?.notificationId;
}

export interface UnsentNotification {
  readonly notificationId: string;
  readonly channel: string;
  readonly role: Recipient['role'];
  readonly recipientId: string;
  readonly template: string;
  readonly title: string;
  readonly body: string;
}

const findUnsentStatement: Statement = {
  name: 'find_unsent_notification',
  text: `select notification_id as "notificationId", channel, recipient_role as role, recipient_id as "recipientId",
      template, title, body
    from notifications where notification_id = $1 and sent_at is null`,
};

export async function findUnsent(db: Queryable, notificationId: string): Promise<UnsentNotification | undefined> {
  const { rows } = await db.query<UnsentNotification>(findUnsentStatement, [notificationId]);
  return rows[0];
}

const markSentStatement: Statement = {
  name: 'mark_notification_sent',
  text: 'update notifications set sent_at = now() where notification_id = $1 and sent_at is null',
};

export async function markSent(db: Queryable, notificationId: string): Promise<void> {
  await db.query(markSentStatement, [notificationId]);
}

export interface ListedNotification extends Notification {
  readonly sequence: string;
}

const listNotificationsStatement: Statement = {
  name: 'list_notifications',
  text: `select notification_id as "notificationId", order_id as "orderId", template, title, body,
      created_at as "createdAt", sent_at as "sentAt", sequence::text as sequence
    from notifications
    where recipient_role = $1 and recipient_id = $2 and ($3::bigint is null or sequence < $3)
    order by notifications.sequence desc limit $4`,
};

export interface NotificationFilter {
  readonly recipient: Recipient;
  readonly before: string | null;
  readonly limit: number;
}

/** What somebody was told, newest first. */
export async function listNotifications(
  db: Queryable,
  { recipient, before, limit }: NotificationFilter,
): Promise<readonly ListedNotification[]> {
  const { rows } = await db.query<ListedNotification>(listNotificationsStatement, [
    recipient.role,
    recipient.id,
    before,
    limit,
  ]);
  return rows;
}
