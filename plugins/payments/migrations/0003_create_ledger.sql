-- Double entry: a debit is above zero, a credit below. What stands in it stays; a mistake is corrected by another entry.
create table ledger_transactions (
  transaction_id uuid primary key default gen_random_uuid(),
  -- What it is about, once: capture:<operation>, share:<order>
  reference text not null unique,
  kind text not null,
  order_id text,
  posted_at timestamptz not null default now()
);
create index ledger_transactions_of_order on ledger_transactions (order_id) where order_id is not null;

create table ledger_entries (
  entry_id bigint generated always as identity primary key,
  transaction_id uuid not null references ledger_transactions (transaction_id),
  account text not null check (account in ('customer_receivable', 'provider_clearing', 'revenue', 'fees', 'refunds',
    'disputes', 'dispute_losses', 'driver_costs', 'driver_payable', 'payouts_under_way', 'bank')),
  -- Of driver_payable the driver; else empty.
  owner text not null default '',
  amount_minor bigint not null check (amount_minor <> 0),
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  posted_at timestamptz not null default now()
);
create index ledger_entries_of_transaction on ledger_entries (transaction_id) include (currency, amount_minor);
create index ledger_entries_of_account on ledger_entries (account, owner, entry_id) include (currency, amount_minor);
create index ledger_entries_posted on ledger_entries (posted_at);

create function keep_ledger() returns trigger language plpgsql as $$
begin
  raise exception 'what stands in the ledger stays: correct it by another transaction';
end $$;
create trigger ledger_transactions_keep before update or delete or truncate on ledger_transactions
  for each statement execute function keep_ledger();
create trigger ledger_entries_keep before update or delete or truncate on ledger_entries
  for each statement execute function keep_ledger();

create function balance_ledger() returns trigger language plpgsql as $$
declare
  imbalance bigint;
begin
  select sum(amount_minor) into imbalance from ledger_entries
    where transaction_id = new.transaction_id group by currency having sum(amount_minor) <> 0 limit 1;
  if imbalance is not null then
    raise exception 'ledger transaction % does not sum to zero: %', new.transaction_id, imbalance;
  end if;
  return null;
end $$;
-- At the commit: the entries of a transaction come one after the other.
create constraint trigger ledger_entries_balance after insert on ledger_entries
  deferrable initially deferred for each row execute function balance_ledger();

create table payouts (
  payout_id uuid primary key default gen_random_uuid(),
  driver_id text not null,
  currency text not null,
  -- 1, 2, 3 … of the driver: of two runs at once one has it.
  number integer not null,
  amount_minor bigint not null check (amount_minor > 0),
  status text not null default 'created' check (status in ('created', 'paid')),
  -- In milliseconds, as cursors have it.
  created_at timestamptz(3) not null default now(),
  paid_at timestamptz,
  unique (driver_id, currency, number)
);
create index payouts_newest on payouts (created_at desc, payout_id desc);
