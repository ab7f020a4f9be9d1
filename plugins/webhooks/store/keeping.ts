/** What ends by the clock, and figures of what there is. */
import type { Queryable, Statement } from '#plugin-api';

const expireStatement: Statement = {
  name: 'expire_webhook_deliveries',
  text: `update webhook_deliveries set
      state = 'failed', leased_until = null, finished_at = now(), last_error = coalesce(last_error, 'expired')
    where delivery_id in (
      select delivery_id from webhook_deliveries
      where state = 'pending' and expires_at < now() - $1 * interval '1 second'
        and (leased_until is null or leased_until <= now())
      order by expires_at limit $2 for update skip locked)`,
};

/** Gives up what was not even tried at its end: of an endpoint that is disabled or paused, or behind others. @returns how many */
export async function expireDeliveries(
  db: Queryable,
  options: { readonly graceSeconds: number; readonly limit: number },
): Promise<number> {
  return (await db.query(expireStatement, [options.graceSeconds, options.limit])).rowCount;
}

const pruneDeliveriesStatement: Statement = {
  name: 'prune_webhook_deliveries',
  text: `delete from webhook_deliveries where delivery_id in (
    select delivery_id from webhook_deliveries
    where state <> 'pending' and finished_at < now() - $1 * interval '1 day' limit $2)`,
};

export async function pruneDeliveries(db: Queryable, retentionDays: number, limit: number): Promise<number> {
  return (await db.query(pruneDeliveriesStatement, [retentionDays, limit])).rowCount;
}

const pruneMessagesStatement: Statement = {
  name: 'prune_webhook_messages',
  text: `delete from webhook_messages where message_id in (
    select m.message_id from webhook_messages m
    where m.created_at < now() - $1 * interval '1 day'
      and not exists (select from webhook_deliveries d where d.message_id = m.message_id)
    limit $2)`,
};

export async function pruneMessages(db: Queryable, retentionDays: number, limit: number): Promise<number> {
  return (await db.query(pruneMessagesStatement, [retentionDays, limit])).rowCount;
}

const pruneEndpointsStatement: Statement = {
  name: 'prune_webhook_endpoints',
  text: `delete from webhook_endpoints where endpoint_id in (
    select e.endpoint_id from webhook_endpoints e
    where e.deleted_at < now() - $1 * interval '1 day'
      and not exists (select from webhook_deliveries d where d.endpoint_id = e.endpoint_id)
    limit $2)`,
};

/** Of those that were deleted. */
export async function pruneEndpoints(db: Queryable, retentionDays: number, limit: number): Promise<number> {
  return (await db.query(pruneEndpointsStatement, [retentionDays, limit])).rowCount;
}

const countEndpointsStatement: Statement = {
  name: 'count_webhook_endpoints_by_health',
  text: `select coalesce('disabled_' || disabled_reason, case when consecutive_failures > 0 then 'failing' else 'healthy' end)
      as health, count(*)::integer as count
    from webhook_endpoints where deleted_at is null group by 1`,
};

export interface EndpointCount {
  readonly health: string;
  readonly count: number;
}

export async function countEndpointsByHealth(db: Queryable): Promise<readonly EndpointCount[]> {
  return (await db.query<EndpointCount>(countEndpointsStatement)).rows;
}

const readBacklogStatement: Statement = {
  name: 'read_webhook_backlog',
  text: `select e.state, sum(waiting.count)::integer as count, max(waiting.count)::integer as largest,
      greatest(0, max(waiting.oldest))::double precision as "oldestSeconds"
    from (
      select endpoint_id, count(*) as count, extract(epoch from now() - min(created_at)) as oldest
      from webhook_deliveries where state = 'pending' group by endpoint_id
    ) waiting join webhook_endpoints e using (endpoint_id)
    group by e.state`,
};

export interface Backlog {
  readonly state: 'enabled' | 'disabled';
  readonly count: number;
  /** Of one endpoint. */
  readonly largest: number;
  readonly oldestSeconds: number;
}

export async function readBacklog(db: Queryable): Promise<readonly Backlog[]> {
  return (await db.query<Backlog>(readBacklogStatement)).rows;
}
