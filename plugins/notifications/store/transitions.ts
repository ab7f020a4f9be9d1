/**
 * Every change of a message's state. Each names the state and the number of tries that it was decided upon: when somebody
 * else has changed it meanwhile, nothing happens, and the caller is told.
 */
import type { Queryable, Statement } from '#plugin-api';
import type { DropReason, OpenState } from '../decision.ts';

/** A message as it was when it was decided about. */
export interface Fence {
  readonly notificationId: string;
  readonly state: OpenState;
  readonly attempts: number;
}

const fence = 'notification_id = $1 and state = $2 and attempts = $3';
const toTime = (ms: number): string => new Date(ms).toISOString();

const claimStatement: Statement = {
  name: 'claim_notification',
  text: `update notifications set state = 'sending', attempts = attempts + 1, claimed_at = $4, due_at = null
    where ${fence}`,
};

/** The mark that a try is under way: from here on the message may have been sent. */
export async function claim(db: Queryable, at: Fence, nowMs: number): Promise<Fence | undefined> {
  const { rowCount } = await db.query(claimStatement, [at.notificationId, at.state, at.attempts, toTime(nowMs)]);
  return rowCount === 0
    ? undefined
    : { notificationId: at.notificationId, state: 'sending', attempts: at.attempts + 1 };
}

const markSentStatement: Statement = {
  name: 'mark_notification_sent',
  text: `update notifications set state = 'sent', sent_at = $4, last_error = null where ${fence}`,
};

export async function markSent(db: Queryable, at: Fence, nowMs: number): Promise<boolean> {
  const { rowCount } = await db.query(markSentStatement, [at.notificationId, at.state, at.attempts, toTime(nowMs)]);
  return rowCount === 1;
}

const markFailedStatement: Statement = {
  name: 'mark_notification_failed',
  text: `update notifications set state = 'failed', last_error = coalesce($4, last_error) where ${fence}`,
};

/** Without an error the last one stays. */
export async function markFailed(db: Queryable, at: Fence, error: string | null): Promise<boolean> {
  const { rowCount } = await db.query(markFailedStatement, [at.notificationId, at.state, at.attempts, error]);
  return rowCount === 1;
}

const postponeStatement: Statement = {
  name: 'postpone_notification',
  text: `update notifications set state = 'pending', due_at = $4, last_error = $5 where ${fence}`,
};

export async function postpone(
  db: Queryable,
  at: Fence,
  { dueMs, error }: { readonly dueMs: number; readonly error: string },
): Promise<boolean> {
  const { rowCount } = await db.query(postponeStatement, [
    at.notificationId,
    at.state,
    at.attempts,
    toTime(dueMs),
    error,
  ]);
  return rowCount === 1;
}

const holdStatement: Statement = {
  name: 'hold_notification',
  text: `update notifications set state = 'held', due_at = $4, held_until = $4 where ${fence}`,
};

export async function hold(db: Queryable, at: Fence, untilMs: number): Promise<boolean> {
  const { rowCount } = await db.query(holdStatement, [at.notificationId, at.state, at.attempts, toTime(untilMs)]);
  return rowCount === 1;
}

const dropStatement: Statement = {
  name: 'drop_notification',
  text: `update notifications set state = 'dropped', drop_reason = $4 where ${fence}`,
};

export async function drop(db: Queryable, at: Fence, reason: DropReason): Promise<boolean> {
  const { rowCount } = await db.query(dropStatement, [at.notificationId, at.state, at.attempts, reason]);
  return rowCount === 1;
}

const endInLogStatement: Statement = {
  name: 'end_notification_in_log',
  text: `update notifications set state = 'sent', sent_at = $2
    where notification_id = $1 and channel = 'log' and state in ('pending', 'held', 'sending')`,
};

/** Ends a message to the log that waits for a job. */
export async function endInLog(db: Queryable, notificationId: string, nowMs: number): Promise<void> {
  await db.query(endInLogStatement, [notificationId, toTime(nowMs)]);
}
