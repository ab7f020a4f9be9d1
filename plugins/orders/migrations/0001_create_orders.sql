create table orders (
  order_id uuid primary key,
  reference text,
  content_hash text not null,
  created_by_role text not null,
  created_by text not null,
  customer_id text not null,
  partner_id text,
  driver_id text,
  status text not null default 'created' check (status in (
    'created', 'scheduled', 'assigned', 'on_the_way', 'picked_up', 'delivered', 'completed', 'cancelled')),
  pickup jsonb not null,
  window_start timestamptz not null,
  window_end timestamptz not null,
  items jsonb not null,
  destination jsonb not null,
  amount_minor integer not null,
  currency text not null,
  cancel_reason text,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check (window_end > window_start),
  -- From the assignment on an order has its driver.
  check (driver_id is not null or status in ('created', 'scheduled', 'cancelled')),
  unique (created_by_role, created_by, reference)
);

create index orders_by_customer on orders (customer_id, order_id desc);
create index orders_by_partner on orders (partner_id, order_id desc) where partner_id is not null;
create index orders_by_driver on orders (driver_id, order_id desc) where driver_id is not null;
create index orders_by_status on orders (status, order_id desc);

create table order_history (
  order_id uuid not null references orders,
  sequence integer not null,
  from_status text,
  to_status text not null,
  actor_kind text not null,
  actor_id text not null,
  reason text,
  occurred_at timestamptz not null default now(),
  primary key (order_id, sequence)
);

-- What other plugins may read: who has to do with an order, and how far it is. No addresses.
create view order_summary as
  select order_id, customer_id, partner_id, driver_id, status from orders;
