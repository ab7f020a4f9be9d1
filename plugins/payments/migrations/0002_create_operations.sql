-- A payment is what is known (intent, captured, refunded) and what is wanted (wish); its status follows from both.
alter table payments
  add column provider text not null default 'sandbox',
  -- Grows when a person orders another try after a refusal: the operations' number.
  add column attempt integer not null default 1,
  add column intent text not null default 'unknown'
    check (intent in ('unknown', 'declined', 'authorised', 'captured', 'voided')),
  add column wish text not null default 'hold' check (wish in ('hold', 'capture', 'fee', 'release')),
  -- Of the order's event that made the wish; null from those without.
  add column wish_version integer,
  -- Null while other events of the order have overtaken order.created.
  add column opened_at timestamptz,
  add column given_up_at timestamptz,
  add column fee_minor integer check (fee_minor >= 0),
  add column captured_minor integer not null default 0 check (captured_minor >= 0),
  -- Refunds asked for, whatever became of them so far; what the provider refused is taken off again.
  add column refund_reserved_minor integer not null default 0 check (refund_reserved_minor >= 0),
  add column refunded_minor integer not null default 0 check (refunded_minor >= 0),
  add column failure_reason text,
  add column is_owed boolean not null default false,
  add column driver_id text,
  add column completed_at timestamptz,
  add column seen_by uuid,
  add column version integer not null default 1;

update payments set
  opened_at = case when currency = '' then null else created_at end,
  intent = case
    when status in ('authorised', 'voiding') then 'authorised'
    when status = 'voided' then 'voided'
    when status = 'declined' or decline_reason is not null then 'declined'
    else 'unknown' end,
  wish = case when status in ('cancelling', 'cancelled', 'voiding', 'voided') then 'release' else 'hold' end;

alter table payments drop constraint payments_status_check, drop constraint payments_check;
update payments set status = 'declined' where intent = 'declined';
alter table payments
  add check (status in ('awaited', 'pending', 'declined', 'cancelling', 'cancelled', 'authorised', 'capturing',
    'capture_failed', 'captured', 'voiding', 'voided', 'refunding', 'refunded')),
  add check (provider_reference is not null or intent in ('unknown', 'declined')),
  add check (refunded_minor <= captured_minor);

create index payments_created on payments (created_at);
create unique index payments_reference on payments (provider, provider_reference) where provider_reference is not null;

-- What a provider is asked to do. Its key is written before anybody asks, and stays whatever happens.
create table operations (
  operation_id uuid primary key default gen_random_uuid(),
  payment_id uuid not null references payments (payment_id),
  order_id text not null,
  kind text not null check (kind in ('authorise', 'capture', 'void', 'refund')),
  number integer not null check (number >= 1),
  idempotency_key text not null unique,
  amount_minor integer not null check (amount_minor >= 0),
  currency text not null,
  status text not null default 'pending' check (status in ('pending', 'succeeded', 'failed', 'superseded')),
  -- Set before the provider is asked: from then on there may be an answer that nobody has read.
  asked_at timestamptz,
  asks integer not null default 0,
  answered_at timestamptz,
  provider_reference text,
  failure_reason text,
  -- policy, ops, or provider (done in its own dashboard)
  requested_by text not null default 'policy',
  reason text,
  created_at timestamptz not null default now(),
  unique (order_id, kind, number)
);
create index operations_of_payment on operations (payment_id);
create index operations_pending on operations (created_at) where status = 'pending';

create function keep_operation() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' then
    raise exception 'operation % must not be deleted: its key is what keeps money from moving twice', old.operation_id;
  end if;
  if (new.operation_id, new.payment_id, new.order_id, new.kind, new.number, new.idempotency_key, new.amount_minor, new.currency)
    is distinct from
    (old.operation_id, old.payment_id, old.order_id, old.kind, old.number, old.idempotency_key, old.amount_minor, old.currency)
  then
    raise exception 'operation % must not be changed: its key is what keeps money from moving twice', old.operation_id;
  end if;
  return new;
end $$;
create trigger operations_keep before update or delete on operations for each row execute function keep_operation();

-- Keys as they were sent so far: what is under way is still the same operation.
insert into operations (payment_id, order_id, kind, number, idempotency_key, amount_minor, currency, status, asked_at,
    asks, answered_at, provider_reference, failure_reason, created_at)
  select payment_id, order_id, 'authorise', 1, 'order:' || order_id || ':authorise', amount_minor, currency,
    case when intent in ('authorised', 'voided') then 'succeeded' when intent = 'declined' then 'failed'
      when status = 'cancelled' then 'superseded' else 'pending' end,
    asked_at, case when asked_at is null then 0 else 1 end,
    case when intent = 'unknown' then null else updated_at end, provider_reference, decline_reason, created_at
  from payments where opened_at is not null;
insert into operations (payment_id, order_id, kind, number, idempotency_key, amount_minor, currency, status, asked_at,
    asks, answered_at, provider_reference, created_at)
  select payment_id, order_id, 'void', 1, 'order:' || order_id || ':void', amount_minor, currency,
    case when status = 'voided' then 'succeeded' else 'pending' end, updated_at, 1,
    case when status = 'voided' then updated_at end, provider_reference, updated_at
  from payments where status in ('voiding', 'voided');

alter table payments drop column asked_at;
