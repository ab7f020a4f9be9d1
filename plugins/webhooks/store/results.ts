/** What an attempt came to. */
import type { Queryable, Statement } from '#plugin-api';
import type { AttemptResult } from '../attempt.ts';
import type { Claim } from './claims.ts';

const insertAttemptStatement: Statement = {
  name: 'insert_webhook_attempt',
  text: `insert into webhook_attempts (delivery_id, outcome, status, latency_ms, response, error)
    select delivery_id, $2, $3, $4, $5, $6 from webhook_deliveries where delivery_id = $1`,
};

export async function insertAttempt(tx: Queryable, deliveryId: string, result: AttemptResult): Promise<void> {
  const { outcome, status, latencyMs, response, error } = result;
  await tx.query(insertAttemptStatement, [deliveryId, outcome, status, latencyMs, response, error]);
}

/** A claim that ran out and was given to another has nothing to say any more; neither has one that was cancelled. */
const isOwn = `delivery_id = $1 and attempts = $2 and state = 'pending'`;

const finishStatement: Statement = {
  name: 'finish_webhook_delivery',
  text: `update webhook_deliveries set
      state = $3, last_status = $4, last_error = $5, leased_until = null, finished_at = now()
    where ${isOwn}`,
};

export async function finishDelivery(
  tx: Queryable,
  { deliveryId, attempts }: Claim,
  end: { readonly state: 'delivered' | 'failed'; readonly status: number | null; readonly error: string | null },
): Promise<boolean> {
  const values = [deliveryId, attempts, end.state, end.status, end.error];
  return (await tx.query(finishStatement, values)).rowCount === 1;
}

const retryStatement: Statement = {
  name: 'retry_webhook_delivery',
  text: `update webhook_deliveries set
      due_at = now() + $3 * interval '1 second', last_status = $4, last_error = $5, leased_until = null
    where ${isOwn}`,
};

export async function retryDelivery(
  tx: Queryable,
  { deliveryId, attempts }: Claim,
  retry: { readonly delaySeconds: number; readonly status: number | null; readonly error: string | null },
): Promise<boolean> {
  const values = [deliveryId, attempts, retry.delaySeconds, retry.status, retry.error];
  return (await tx.query(retryStatement, values)).rowCount === 1;
}

const postponeStatement: Statement = {
  name: 'postpone_webhook_delivery',
  text: `update webhook_deliveries set
      due_at = now() + $3 * interval '1 second', last_error = $4, leased_until = null, attempts_before = attempts_before + 1
    where ${isOwn}`,
};

/** No attempt was made: it does not count for the schedule. */
export async function postponeDelivery(
  db: Queryable,
  { deliveryId, attempts }: Claim,
  { delaySeconds, error }: { readonly delaySeconds: number; readonly error: string },
): Promise<boolean> {
  return (await db.query(postponeStatement, [deliveryId, attempts, delaySeconds, error])).rowCount === 1;
}

const recordSuccessStatement: Statement = {
  name: 'record_webhook_success',
  text: `update webhook_endpoints set
      consecutive_failures = 0, failing_since = null, failed_deliveries = 0, paused_until = null
    where endpoint_id = $1 and (consecutive_failures > 0 or failed_deliveries > 0)`,
};

export async function recordSuccess(tx: Queryable, endpointId: string): Promise<void> {
  await tx.query(recordSuccessStatement, [endpointId]);
}

const recordFailureStatement: Statement = {
  name: 'record_webhook_failure',
  text: `update webhook_endpoints set
      consecutive_failures = consecutive_failures + 1,
      failing_since = coalesce(failing_since, now()),
      failed_deliveries = failed_deliveries + $2,
      last_failure_at = now(), last_failure_status = $3, last_failure_error = $4
    where endpoint_id = $1
    returning consecutive_failures as "consecutiveFailures", failed_deliveries as "failedDeliveries",
      extract(epoch from now() - failing_since)::double precision as "failingSeconds"`,
};

export interface EndpointFailures {
  readonly consecutiveFailures: number;
  readonly failedDeliveries: number;
  readonly failingSeconds: number;
}

export async function recordFailure(
  tx: Queryable,
  endpointId: string,
  failure: { readonly givenUp: boolean; readonly status: number | null; readonly error: string },
): Promise<EndpointFailures | undefined> {
  const values = [endpointId, failure.givenUp ? 1 : 0, failure.status, failure.error];
  const { rows } = await tx.query<EndpointFailures>(recordFailureStatement, values);
  return rows[0];
}

const pauseEndpointStatement: Statement = {
  name: 'pause_webhook_endpoint',
  text: `update webhook_endpoints set paused_until = greatest(paused_until, now() + $2 * interval '1 second')
    where endpoint_id = $1`,
};

export async function pauseEndpoint(tx: Queryable, endpointId: string, seconds: number): Promise<void> {
  await tx.query(pauseEndpointStatement, [endpointId, seconds]);
}
