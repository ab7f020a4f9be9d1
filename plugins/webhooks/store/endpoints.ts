import type { Queryable, Statement } from '#plugin-api';

export interface StoredEndpoint {
  readonly endpointId: string;
  readonly partnerId: string;
  readonly url: string;
  readonly description: string;
  readonly eventTypes: readonly string[];
  readonly version: number;
  readonly state: 'enabled' | 'disabled';
  readonly disabledReason: 'partner' | 'gone' | 'failing' | null;
  readonly disabledAt: string | null;
  readonly failingSince: string | null;
  readonly consecutiveFailures: number;
  readonly lastFailure: { readonly at: string; readonly status: number | null; readonly error: string } | null;
  readonly pausedUntil: string | null;
  readonly secrets: readonly { readonly createdAt: string; readonly expiresAt: string | null }[];
  readonly createdAt: string;
  readonly updatedAt: string;
}

const fields = `e.endpoint_id as "endpointId", e.partner_id as "partnerId", e.url, e.description,
  e.event_types as "eventTypes", e.version, e.state, e.disabled_reason as "disabledReason",
  e.disabled_at as "disabledAt", e.failing_since as "failingSince", e.consecutive_failures as "consecutiveFailures",
  case when e.last_failure_at is not null then
    jsonb_build_object('at', e.last_failure_at, 'status', e.last_failure_status, 'error', e.last_failure_error)
  end as "lastFailure",
  case when e.paused_until > now() then e.paused_until end as "pausedUntil",
  coalesce((select jsonb_agg(jsonb_build_object('createdAt', s.created_at, 'expiresAt', s.expires_at)
      order by s.created_at desc)
    from webhook_secrets s
    where s.endpoint_id = e.endpoint_id and (s.expires_at is null or s.expires_at > now())), '[]') as secrets,
  e.created_at as "createdAt", e.updated_at as "updatedAt"`;

/** Whose endpoints: null is everybody's. */
export type PartnerScope = string | null;

const lockPartnerStatement: Statement = {
  name: 'lock_webhook_partner',
  text: `insert into webhook_partners (partner_id) values ($1)
    on conflict (partner_id) do update set partner_id = excluded.partner_id`,
};

/** Until the transaction ends nobody else makes an endpoint of this partner. */
export async function lockPartner(tx: Queryable, partnerId: string): Promise<void> {
  await tx.query(lockPartnerStatement, [partnerId]);
}

const countEndpointsStatement: Statement = {
  name: 'count_webhook_endpoints',
  text: `select count(*)::integer as count from webhook_endpoints where partner_id = $1 and deleted_at is null`,
};

export async function countEndpoints(tx: Queryable, partnerId: string): Promise<number> {
  const { rows } = await tx.query<{ count: number }>(countEndpointsStatement, [partnerId]);
  return rows[0]?.count ?? 0;
}

const insertEndpointStatement: Statement = {
  name: 'insert_webhook_endpoint',
  text: `insert into webhook_endpoints (endpoint_id, partner_id, url, description, event_types)
    values ($1, $2, $3, $4, $5)`,
};

export interface NewEndpointRow {
  readonly endpointId: string;
  readonly partnerId: string;
  readonly url: string;
  readonly description: string;
  readonly eventTypes: readonly string[];
}

export async function insertEndpoint(tx: Queryable, endpoint: NewEndpointRow): Promise<void> {
  const { endpointId, partnerId, url, description, eventTypes } = endpoint;
  await tx.query(insertEndpointStatement, [endpointId, partnerId, url, description, eventTypes]);
}

const findEndpointStatement: Statement = {
  name: 'find_webhook_endpoint',
  text: `select ${fields} from webhook_endpoints e
    where e.endpoint_id = $1 and ($2::text is null or e.partner_id = $2) and e.deleted_at is null`,
};

export async function findEndpoint(
  db: Queryable,
  endpointId: string,
  scope: PartnerScope,
): Promise<StoredEndpoint | undefined> {
  const { rows } = await db.query<StoredEndpoint>(findEndpointStatement, [endpointId, scope]);
  return rows[0];
}

const lockEndpointStatement: Statement = {
  name: 'lock_webhook_endpoint',
  text: `select e.version from webhook_endpoints e
    where e.endpoint_id = $1 and ($2::text is null or e.partner_id = $2) and e.deleted_at is null
    for no key update`,
};

/** Its version; undefined when there is none. Whoever locks deliveries as well locks the endpoint first. */
export async function lockEndpoint(
  tx: Queryable,
  endpointId: string,
  scope: PartnerScope,
): Promise<number | undefined> {
  const { rows } = await tx.query<{ version: number }>(lockEndpointStatement, [endpointId, scope]);
  return rows[0]?.version;
}

const updateEndpointStatement: Statement = {
  name: 'update_webhook_endpoint',
  text: `update webhook_endpoints set
      url = coalesce($2, url), description = coalesce($3, description), event_types = coalesce($4::text[], event_types),
      version = version + 1, updated_at = now()
    where endpoint_id = $1`,
};

export interface EndpointChange {
  readonly url?: string | undefined;
  readonly description?: string | undefined;
  readonly eventTypes?: readonly string[] | undefined;
}

/** To be called with the endpoint locked. */
export async function updateEndpoint(tx: Queryable, endpointId: string, change: EndpointChange): Promise<void> {
  const { url = null, description = null, eventTypes = null } = change;
  await tx.query(updateEndpointStatement, [endpointId, url, description, eventTypes]);
}

const enableEndpointStatement: Statement = {
  name: 'enable_webhook_endpoint',
  text: `update webhook_endpoints set
      state = 'enabled', disabled_reason = null, disabled_at = null, consecutive_failures = 0, failing_since = null,
      failed_deliveries = 0, paused_until = null
    where endpoint_id = $1 and state = 'disabled'`,
};

/** What was counted against it is forgotten. */
export async function enableEndpoint(tx: Queryable, endpointId: string): Promise<void> {
  await tx.query(enableEndpointStatement, [endpointId]);
}

const disableEndpointStatement: Statement = {
  name: 'disable_webhook_endpoint',
  text: `update webhook_endpoints set
      state = 'disabled', disabled_reason = $2, disabled_at = now(), version = version + $3, updated_at = now()
    where endpoint_id = $1 and state = 'enabled' and deleted_at is null
    returning partner_id as "partnerId", url, failing_since as "failingSince"`,
};

export interface DisabledEndpoint {
  readonly partnerId: string;
  readonly url: string;
  readonly failingSince: string | null;
}

/** Undefined when it was disabled or gone already. A partner's own doing has grown the version before. */
export async function disableEndpoint(
  tx: Queryable,
  endpointId: string,
  reason: 'partner' | 'gone' | 'failing',
): Promise<DisabledEndpoint | undefined> {
  const values = [endpointId, reason, reason === 'partner' ? 0 : 1];
  const { rows } = await tx.query<DisabledEndpoint>(disableEndpointStatement, values);
  return rows[0];
}

const deleteEndpointStatement: Statement = {
  name: 'delete_webhook_endpoint',
  text: `update webhook_endpoints set deleted_at = now(), updated_at = now(), version = version + 1
    where endpoint_id = $1`,
};

/** Its deliveries stay in the log until they are too old. To be called with the endpoint locked. */
export async function deleteEndpoint(tx: Queryable, endpointId: string): Promise<void> {
  await tx.query(deleteEndpointStatement, [endpointId]);
}

const listEndpointsStatement: Statement = {
  name: 'list_webhook_endpoints',
  text: `select ${fields} from webhook_endpoints e
    where ($1::text is null or e.partner_id = $1) and e.deleted_at is null
      and ($2::uuid is null or e.endpoint_id > $2)
    order by e.endpoint_id limit $3`,
};

export async function listEndpoints(
  db: Queryable,
  filter: { readonly scope: PartnerScope; readonly after: string | null; readonly limit: number },
): Promise<readonly StoredEndpoint[]> {
  const { scope, after, limit } = filter;
  const { rows } = await db.query<StoredEndpoint>(listEndpointsStatement, [scope, after, limit]);
  return rows;
}
