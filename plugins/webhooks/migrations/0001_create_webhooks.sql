-- A row for each partner that has endpoints: locked while one more is counted and made.
create table webhook_partners (
  partner_id text primary key
);

create table webhook_endpoints (
  endpoint_id uuid primary key,
  partner_id text not null references webhook_partners (partner_id),
  url text not null,
  description text not null,
  event_types text[] not null,
  -- Of what the partner set; how it goes with deliveries does not count.
  version integer not null default 1,
  state text not null default 'enabled' check (state in ('enabled', 'disabled')),
  disabled_reason text check (disabled_reason in ('partner', 'gone', 'failing')),
  disabled_at timestamptz,
  -- Attempts since the last success, and since when.
  consecutive_failures integer not null default 0,
  failing_since timestamptz,
  -- Deliveries given up since the last success.
  failed_deliveries integer not null default 0,
  last_failure_at timestamptz,
  last_failure_status integer,
  last_failure_error text,
  paused_until timestamptz,
  -- Whose turn it is: the one served longest ago.
  claimed_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  check ((state = 'disabled') = (disabled_reason is not null))
);
create index idx_webhook_endpoints_partner on webhook_endpoints (partner_id, endpoint_id) where deleted_at is null;

-- Several at a time while a secret is replaced. Sealed with a key that the database does not have.
create table webhook_secrets (
  secret_id uuid primary key,
  endpoint_id uuid not null references webhook_endpoints (endpoint_id) on delete cascade,
  sealed text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz
);
create index idx_webhook_secrets_endpoint on webhook_secrets (endpoint_id);
-- One that is current.
create unique index idx_webhook_secrets_current on webhook_secrets (endpoint_id) where expires_at is null;

-- What is told, once for all endpoints of a partner.
create table webhook_messages (
  message_id text primary key,
  partner_id text not null,
  type text not null,
  order_id text,
  -- Within one subject deliveries keep the order of the rank; null is without order.
  subject text,
  rank bigint not null,
  body text not null,
  created_at timestamptz not null default now()
);
create index idx_webhook_messages_subject on webhook_messages (subject, rank) where subject is not null;
create index idx_webhook_messages_created on webhook_messages (created_at);

create table webhook_deliveries (
  delivery_id uuid primary key default gen_random_uuid(),
  sequence bigint generated always as identity,
  endpoint_id uuid not null references webhook_endpoints (endpoint_id),
  message_id text not null references webhook_messages (message_id),
  partner_id text not null,
  order_id text,
  type text not null,
  subject text,
  rank bigint not null,
  state text not null check (state in ('pending', 'delivered', 'failed', 'cancelled')),
  -- All attempts ever; a result counts only for the attempt that is the newest.
  attempts integer not null default 0,
  -- Of them, those before the last redelivery by hand.
  attempts_before integer not null default 0,
  due_at timestamptz not null,
  -- The one before it in its subject had not come: it waits for that until then.
  held_until timestamptz,
  leased_until timestamptz,
  expires_at timestamptz not null,
  last_status integer,
  last_error text,
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  unique (endpoint_id, message_id),
  check ((state = 'pending') = (finished_at is null))
);
create index idx_webhook_deliveries_due on webhook_deliveries (endpoint_id, due_at) where state = 'pending';
create index idx_webhook_deliveries_subject on webhook_deliveries (endpoint_id, subject, rank, sequence)
  where state = 'pending' and subject is not null;
create index idx_webhook_deliveries_expiry on webhook_deliveries (expires_at) where state = 'pending';
create unique index idx_webhook_deliveries_sequence on webhook_deliveries (sequence);
create index idx_webhook_deliveries_partner on webhook_deliveries (partner_id, sequence);
create index idx_webhook_deliveries_order on webhook_deliveries (order_id, sequence) where order_id is not null;
create index idx_webhook_deliveries_endpoint on webhook_deliveries (endpoint_id, sequence);
create index idx_webhook_deliveries_message on webhook_deliveries (message_id);
create index idx_webhook_deliveries_finished on webhook_deliveries (finished_at) where state <> 'pending';

create table webhook_attempts (
  attempt_id bigint generated always as identity primary key,
  delivery_id uuid not null references webhook_deliveries (delivery_id) on delete cascade,
  attempted_at timestamptz not null default now(),
  outcome text not null,
  status integer,
  latency_ms integer not null,
  response text,
  error text
);
create index idx_webhook_attempts_delivery on webhook_attempts (delivery_id, attempt_id);
