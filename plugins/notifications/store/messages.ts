import type { Queryable, Statement } from '#plugin-api';
import type { TemplateName } from '../audience.ts';
import type { DropReason } from '../decision.ts';
import type { Facts, Recipient } from '../facts.ts';
import type { ChannelName } from '../person.ts';

export interface MessageToInsert {
  readonly eventId: string;
  readonly eventAt: string;
  readonly channel: ChannelName;
  readonly recipient: Recipient;
  readonly template: TemplateName;
  readonly locale: string;
  readonly title: string;
  readonly body: string;
  readonly html: string | null;
  readonly facts: Facts;
  readonly orderVersion: number | null;
  readonly assignmentSequence: number | null;
  readonly expiresAt: string | null;
  readonly fallbackOf: string | null;
  /** What is done with already; else a channel is to send it. */
  readonly ended?: Ended;
}

/** What became of a message that no channel had to be asked for. */
export type Ended =
  | { readonly state: 'sent'; readonly sentAt: string }
  | { readonly state: 'dropped'; readonly dropReason: DropReason };

const insertMessageStatement: Statement = {
  name: 'insert_notification',
  text: `insert into notifications
      (event_id, event_at, channel, recipient_role, recipient_id, order_id, template, locale, title, body, html, facts,
        order_version, assignment_sequence, expires_at, fallback_of, state, sent_at, drop_reason)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
    on conflict on constraint notifications_once do nothing
    returning notification_id as "notificationId"`,
};

/** The id of the new message; undefined when the event has its message to them on this channel already. */
export async function insertMessage(db: Queryable, message: MessageToInsert): Promise<string | undefined> {
  const { rows } = await db.query<{ notificationId: string }>(insertMessageStatement, [
    message.eventId,
    message.eventAt,
    message.channel,
    message.recipient.role,
    message.recipient.id,
    message.facts.orderId,
    message.template,
    message.locale,
    message.title,
    message.body,
    message.html,
    JSON.stringify(message.facts),
    message.orderVersion,
    message.assignmentSequence,
    message.expiresAt,
    message.fallbackOf,
    message.ended?.state ?? 'pending',
    message.ended?.state === 'sent' ? message.ended.sentAt : null,
    message.ended?.state === 'dropped' ? message.ended.dropReason : null,
  ]);
  return rows[0]?.notificationId;
}

export interface StoredMessage {
  readonly notificationId: string;
  readonly state: 'pending' | 'held' | 'sending' | 'sent' | 'failed' | 'dropped';
  readonly eventId: string;
  readonly eventAt: string;
  readonly channel: ChannelName;
  readonly role: Recipient['role'];
  readonly recipientId: string;
  readonly orderId: string | null;
  readonly template: TemplateName;
  readonly locale: string;
  readonly title: string;
  readonly body: string;
  readonly html: string | null;
  /** Null: written before messages kept them. */
  readonly facts: Facts | null;
  readonly orderVersion: string | null;
  readonly assignmentSequence: string | null;
  readonly expiresAt: string | null;
  readonly attempts: number;
  readonly dueAt: string | null;
  readonly heldUntil: string | null;
  readonly claimedAt: string | null;
  readonly knownVersion: string | null;
  readonly knownStatus: string | null;
  readonly knownSequence: string | null;
  readonly newerTold: boolean;
}

const findMessageStatement: Statement = {
  name: 'find_notification',
  text: `select message.notification_id as "notificationId", message.state, message.event_id as "eventId",
      message.event_at as "eventAt", message.channel, message.recipient_role as role,
      message.recipient_id as "recipientId", message.order_id as "orderId", message.template, message.locale,
      message.title, message.body, message.html, message.facts, message.order_version as "orderVersion",
      message.assignment_sequence as "assignmentSequence", message.expires_at as "expiresAt", message.attempts,
      message.due_at as "dueAt", message.held_until as "heldUntil", message.claimed_at as "claimedAt",
      progress.version as "knownVersion", progress.status as "knownStatus",
      progress.assignment_sequence as "knownSequence",
      exists (
        select 1 from notifications newer
        where newer.order_id = message.order_id and newer.channel = message.channel
          and (newer.state = 'sent' or newer.attempts > 0)
          and newer.recipient_role = message.recipient_role and newer.recipient_id = message.recipient_id
          and (newer.event_at, newer.sequence) > (message.event_at, message.sequence)
      ) as "newerTold"
    from notifications message left join order_progress progress on progress.order_id = message.order_id
    where message.notification_id = $1`,
};

/** A message with what decides about it. */
export async function findMessage(db: Queryable, notificationId: string): Promise<StoredMessage | undefined> {
  const { rows } = await db.query<StoredMessage>(findMessageStatement, [notificationId]);
  return rows[0];
}

/** More than an order has steps; what is beyond is sent by its own job. */
const earlierMax = 20;

const listEarlierStatement: Statement = {
  name: 'list_earlier_notifications',
  text: `select earlier.notification_id as "notificationId"
    from notifications message join notifications earlier
      on earlier.order_id = message.order_id and earlier.channel = message.channel
        and earlier.recipient_role = message.recipient_role and earlier.recipient_id = message.recipient_id
        and earlier.state in ('pending', 'held', 'sending')
        and (earlier.event_at, earlier.sequence) < (message.event_at, message.sequence)
        and (earlier.due_at is null or earlier.due_at <= $2)
    where message.notification_id = $1 and message.state in ('pending', 'held', 'sending')
    order by earlier.event_at, earlier.sequence limit ${earlierMax}`,
};

/** What is due to the same person of the same order by the same channel and happened before, oldest first. */
export async function listEarlier(db: Queryable, notificationId: string, nowMs: number): Promise<readonly string[]> {
  const { rows } = await db.query<{ notificationId: string }>(listEarlierStatement, [
    notificationId,
    new Date(nowMs).toISOString(),
  ]);
  return rows.map((row) => row.notificationId);
}
