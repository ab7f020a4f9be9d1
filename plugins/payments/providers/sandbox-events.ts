import { randomUUID } from 'node:crypto';
import type { Queryable, Statement, Transaction } from '#plugin-api';
import { delay } from './delay.ts';

export interface SandboxEvent {
  readonly type: string;
  /** Of the payment. */
  readonly reference: string;
  /** What it is about: the payment, a refund or a dispute of it. */
  readonly object: string;
}

export const sandboxQueue = 'payments.sandbox';

const insertEventStatement: Statement = {
  name: 'sandbox_insert_event',
  text: `insert into sandbox_events (event_id, type, payment_reference, object_reference) values ($1, $2, $3, $4)`,
};

/** In the transaction of what it tells; a job delivers it. @returns its id */
export async function emitSandboxEvent(tx: Transaction, { type, reference, object }: SandboxEvent): Promise<string> {
  const eventId = `sandbox_evt_${randomUUID()}`;
  await tx.query(insertEventStatement, [eventId, type, reference, object]);
  await tx.jobs.send(sandboxQueue, { eventId });
  return eventId;
}

const findEventStatement: Statement = {
  name: 'sandbox_find_event',
  text: `select event_id as "eventId", type, payment_reference as reference, object_reference as object,
      extract(epoch from created_at)::integer as created, secret
    from sandbox_events, sandbox_secret where event_id = $1`,
};

export interface StoredEvent extends SandboxEvent {
  readonly eventId: string;
  /** Seconds. */
  readonly created: number;
  readonly secret: string;
}

export async function findSandboxEvent(db: Queryable, eventId: string): Promise<StoredEvent | undefined> {
  return (await db.query<StoredEvent>(findEventStatement, [eventId])).rows[0];
}

const findSecretStatement: Statement = {
  name: 'sandbox_find_secret',
  text: 'select secret from sandbox_secret limit 1',
};

/**
 * Made when the database was: each installation has its own, and it stays. It is read once, so that who sends webhooks
 * without being able to sign them has no statement run for each.
 */
export function createSandboxSecret(db: Queryable): () => Promise<readonly string[]> {
  let known: readonly string[] = [];
  return async () => {
    if (known.length > 0) return known;
    const { rows } = await db.query<{ secret: string }>(findSecretStatement);
    known = rows.map(({ secret }) => secret);
    return known;
  };
}

const isProcessedStatement: Statement = {
  name: 'sandbox_is_event_processed',
  text: `select from webhook_events where provider = 'sandbox' and event_id = $1 and processed_at is not null`,
};
const everyMs = 25;

/** Waits until the webhook has been dealt with, or for as long as may be. */
export async function waitUntilTold(db: Queryable, eventId: string, maxMs: number): Promise<void> {
  const until = Date.now() + maxMs;
  while ((await db.query(isProcessedStatement, [eventId])).rowCount === 0 && Date.now() < until) await delay(everyMs);
}

/** In the form of Stripe's, of which only the references are read. */
export function toWebhookBody({ eventId, type, created, reference, object }: StoredEvent): string {
  const isPayment = object === reference;
  return JSON.stringify({
    id: eventId,
    object: 'event',
    type,
    created,
    data: {
      object: isPayment
        ? { id: reference, object: 'payment_intent' }
        : { id: object, object: type.includes('dispute') ? 'dispute' : 'refund', payment_intent: reference },
    },
  });
}
