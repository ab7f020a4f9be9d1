-- The embedded provider's own state: what a real one would keep on its side.
create table sandbox_payments (
  reference text primary key,
  operation_id text not null,
  order_id text not null,
  method text not null,
  state text not null check (state in ('authorised', 'declined', 'captured', 'voided')),
  amount_minor integer not null,
  captured_minor integer not null default 0,
  currency text not null,
  reason text,
  created_at timestamptz not null default now()
);
create index sandbox_payments_of_operation on sandbox_payments (operation_id);
create index sandbox_payments_created on sandbox_payments (created_at, reference);

create table sandbox_refunds (
  reference text primary key,
  payment_reference text not null references sandbox_payments (reference),
  operation_id text not null,
  amount_minor integer not null check (amount_minor > 0),
  created_at timestamptz not null default now()
);
create index sandbox_refunds_of_payment on sandbox_refunds (payment_reference);

create table sandbox_disputes (
  reference text primary key,
  payment_reference text not null references sandbox_payments (reference),
  state text not null check (state in ('opened', 'won', 'lost')),
  amount_minor integer not null
);
create index sandbox_disputes_of_payment on sandbox_disputes (payment_reference);

-- The first answer to each idempotency key.
create table sandbox_answers (
  idempotency_key text primary key,
  fingerprint text not null,
  answer text not null,
  answered_at timestamptz not null default now()
);

create table sandbox_events (
  event_id text primary key,
  type text not null,
  payment_reference text not null,
  object_reference text not null,
  created_at timestamptz not null default now()
);

create table sandbox_secret (secret text not null);
insert into sandbox_secret (secret)
  values ('whsec_' || replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''));

-- What was reserved before the sandbox had a memory.
insert into sandbox_payments (reference, operation_id, order_id, method, state, amount_minor, currency, created_at)
  select p.provider_reference, o.operation_id::text, p.order_id, p.method, p.intent, p.amount_minor, p.currency, p.created_at
  from payments p join operations o on o.payment_id = p.payment_id and o.kind = 'authorise'
  where p.provider_reference is not null and p.intent in ('authorised', 'voided')
  on conflict do nothing;
insert into sandbox_answers (idempotency_key, fingerprint, answer)
  select idempotency_key, '', 'ok' from operations where status in ('succeeded', 'failed');
