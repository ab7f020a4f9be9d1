/** Which deliveries are tried now, and by whom: a claim is a lease, so what a node that died had in hand comes again. */
import type { Database, Queryable, Statement } from '#plugin-api';

/**
 * Due, and the first of its subject: a later event of an order waits until the one before it is delivered or given up. One
 * that was overtaken on its way to us is waited for as well, for a moment. That is seen here and not when it is queued: two
 * that come at the same time do not see each other then.
 */
const isClaimable = `d.state = 'pending' and d.due_at <= now()
  and (d.subject is null or not exists (
    select from webhook_deliveries before
    where before.endpoint_id = d.endpoint_id and before.subject = d.subject and before.state = 'pending'
      and (before.rank, before.sequence) < (d.rank, d.sequence)))
  and (d.held_until is null or d.held_until <= now() or exists (
    select from webhook_messages before where before.subject = d.subject and before.rank = d.rank - 1))`;

const isReady = `e.state = 'enabled' and e.deleted_at is null and (e.paused_until is null or e.paused_until <= now())`;

/** Requests to an endpoint that may be begun: one that fails gets one at a time. `$3` is what the others get. */
const freeOf = (
  endpoint: string,
): string => `case when ${endpoint}.consecutive_failures > 0 then 1 else $3::integer end - (
  select count(*) from webhook_deliveries f
  where f.endpoint_id = ${endpoint}.endpoint_id and f.state = 'pending' and f.leased_until > now())`;

const findReadyStatement: Statement = {
  name: 'find_ready_webhook_endpoints',
  text: `select e.endpoint_id as "endpointId" from webhook_endpoints e
    where ${isReady} and (e.consecutive_failures > 0) = $1 and ${freeOf('e')} > 0
      and exists (select from webhook_deliveries d where d.endpoint_id = e.endpoint_id and ${isClaimable})
    order by e.claimed_at nulls first limit $2`,
};

const lockReadyStatement: Statement = {
  name: 'lock_ready_webhook_endpoints',
  text: `select e.endpoint_id as "endpointId" from webhook_endpoints e
    where e.endpoint_id = any($1::uuid[]) and ${isReady}
    for no key update skip locked`,
};

const claimStatement: Statement = {
  name: 'claim_webhook_deliveries',
  text: `with served as (
      update webhook_endpoints set claimed_at = now() where endpoint_id = any($1::uuid[])
      returning endpoint_id, url, greatest(0, ${freeOf('webhook_endpoints')}) as free
    ), heads as (
      select served.url, d.delivery_id, d.due_at,
        row_number() over (partition by served.endpoint_id order by d.due_at, d.sequence) as turn
      from served cross join lateral (
        select d.delivery_id, d.due_at, d.sequence from webhook_deliveries d
        where d.endpoint_id = served.endpoint_id and ${isClaimable}
        order by d.due_at, d.sequence limit served.free
      ) d
    ), picked as (
      select url, delivery_id from heads order by turn, due_at limit $2
    )
    update webhook_deliveries d set
      attempts = d.attempts + 1,
      leased_until = now() + $4 * interval '1 second',
      due_at = now() + $4 * interval '1 second'
    from picked, webhook_messages m
    where d.delivery_id = picked.delivery_id and m.message_id = d.message_id
      and d.state = 'pending' and d.due_at <= now()
    returning d.delivery_id as "deliveryId", d.endpoint_id as "endpointId", d.message_id as "messageId", picked.url,
      m.body, d.type, d.order_id as "orderId", d.attempts, d.attempts - d.attempts_before as tries,
      extract(epoch from d.expires_at - now())::double precision as "remainingSeconds"`,
};

export interface Claim {
  readonly deliveryId: string;
  readonly endpointId: string;
  readonly messageId: string;
  readonly url: string;
  readonly body: string;
  readonly type: string;
  readonly orderId: string | null;
  /** With this one; it says whose result counts. */
  readonly attempts: number;
  /** Of them, those since it was queued, or sent again by hand. */
  readonly tries: number;
  readonly remainingSeconds: number;
}

export interface ClaimOptions {
  /** Endpoints of which the last attempt failed, or the others. */
  readonly failing: boolean;
  readonly limit: number;
  readonly endpointConcurrency: number;
  /** Longer than an attempt takes. */
  readonly leaseSeconds: number;
}

/**
 * Endpoints are locked before their deliveries are looked at: nobody else claims of them meanwhile, so that the bound for
 * each holds on all nodes together and order is kept. Of many endpoints each gets one before any gets a second.
 */
export async function claimDeliveries(db: Database, options: ClaimOptions): Promise<readonly Claim[]> {
  const ready = await findReady(db, options);
  if (ready.length === 0) return [];
  return db.transaction(async (tx) => {
    const { rows } = await tx.query<{ endpointId: string }>(lockReadyStatement, [ready]);
    if (rows.length === 0) return [];
    const locked = rows.map(({ endpointId }) => endpointId);
    const { limit, endpointConcurrency, leaseSeconds } = options;
    return (await tx.query<Claim>(claimStatement, [locked, limit, endpointConcurrency, leaseSeconds])).rows;
  });
}

async function findReady(db: Queryable, options: ClaimOptions): Promise<readonly string[]> {
  const values = [options.failing, options.limit, options.endpointConcurrency];
  const { rows } = await db.query<{ endpointId: string }>(findReadyStatement, values);
  return rows.map(({ endpointId }) => endpointId);
}
