create table payments (
  payment_id uuid primary key default gen_random_uuid(),
  order_id text not null,
  kind text not null check (kind in ('authorisation')),
  customer_id text,
  partner_id text,
  status text not null check (status in (
    'pending', 'authorised', 'declined', 'cancelling', 'cancelled', 'voiding', 'voided')),
  amount_minor integer not null check (amount_minor >= 0),
  currency text not null,
  method text not null,
  provider_reference text,
  decline_reason text,
  -- Written before the provider is asked: after a crash it tells that there may be an answer.
  asked_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (order_id, kind),
  check (provider_reference is not null or status not in ('authorised', 'voiding', 'voided'))
);
