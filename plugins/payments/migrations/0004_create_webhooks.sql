-- What providers told us, each event once. The content is not kept: the provider is asked for what is true now.
create table webhook_events (
  provider text not null,
  event_id text not null,
  type text not null,
  payment_reference text,
  received_at timestamptz not null default now(),
  processed_at timestamptz,
  outcome text,
  primary key (provider, event_id)
);
create index webhook_events_received on webhook_events (received_at);

create table disputes (
  provider text not null,
  dispute_reference text not null,
  payment_id uuid not null references payments (payment_id),
  state text not null check (state in ('opened', 'won', 'lost')),
  amount_minor integer not null,
  reason text not null,
  opened_at timestamptz not null default now(),
  closed_at timestamptz,
  primary key (provider, dispute_reference)
);
create index disputes_of_payment on disputes (payment_id);

create table reconciliations (
  run_id uuid primary key default gen_random_uuid(),
  provider text not null,
  from_at timestamptz not null,
  to_at timestamptz not null,
  state text not null default 'listing' check (state in ('listing', 'searching', 'done')),
  cursor text,
  compared integer not null default 0,
  started_at timestamptz not null default now(),
  finished_at timestamptz
);
create index reconciliations_newest on reconciliations (provider, started_at desc);

create table differences (
  difference_id uuid primary key default gen_random_uuid(),
  run_id uuid not null references reconciliations (run_id),
  provider text not null,
  -- The provider's, of the payment.
  reference text not null,
  kind text not null check (kind in ('missing_here', 'missing_there', 'other_amount', 'other_state')),
  payment_id uuid references payments (payment_id),
  order_id text,
  here text,
  there text,
  -- In milliseconds, as cursors have it.
  found_at timestamptz(3) not null default now(),
  seen_at timestamptz not null default now(),
  resolved_at timestamptz
);
-- One that stays is one row, and one event, however many nights find it.
create unique index differences_open on differences (provider, reference, kind) where resolved_at is null;
create index differences_newest on differences (found_at desc, difference_id desc);
