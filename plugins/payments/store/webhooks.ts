import type { Queryable, Statement } from '#plugin-api';

export interface WebhookEvent {
  readonly provider: string;
  readonly eventId: string;
  readonly type: string;
  /** Null when it is about no payment. */
  readonly reference: string | null;
}

const insertEventStatement: Statement = {
  name: 'insert_webhook_event',
  text: `insert into webhook_events (provider, event_id, type, payment_reference) values ($1, $2, $3, $4)
    on conflict (provider, event_id) do nothing`,
};

/** False when it was received before. */
export async function insertWebhookEvent(db: Queryable, event: WebhookEvent): Promise<boolean> {
  const { provider, eventId, type, reference } = event;
  return (await db.query(insertEventStatement, [provider, eventId, type, reference])).rowCount === 1;
}

const findEventStatement: Statement = {
  name: 'find_webhook_event',
  text: `select provider, event_id as "eventId", type, payment_reference as reference from webhook_events
    where provider = $1 and event_id = $2 and processed_at is null`,
};

/** Undefined when it has been dealt with. */
export async function findWebhookEvent(
  db: Queryable,
  provider: string,
  eventId: string,
): Promise<WebhookEvent | undefined> {
  return (await db.query<WebhookEvent>(findEventStatement, [provider, eventId])).rows[0];
}

const markProcessedStatement: Statement = {
  name: 'mark_webhook_processed',
  text: `update webhook_events set processed_at = now(), outcome = $3 where provider = $1 and event_id = $2`,
};

export async function markWebhookProcessed(db: Queryable, event: WebhookEvent, outcome: string): Promise<void> {
  await db.query(markProcessedStatement, [event.provider, event.eventId, outcome]);
}

const forgetStatement: Statement = {
  name: 'forget_webhook_events',
  text: `delete from webhook_events where received_at < $1`,
};
const forgetSandboxStatement: Statement = {
  name: 'sandbox_forget_events',
  text: `delete from sandbox_events where created_at < $1`,
};

/** Long after any provider sends one again. */
export async function forgetWebhookEvents(db: Queryable, before: Date): Promise<void> {
  await db.query(forgetStatement, [before.toISOString()]);
  await db.query(forgetSandboxStatement, [before.toISOString()]);
}
