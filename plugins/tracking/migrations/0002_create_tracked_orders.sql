-- Which orders a driver carries, so that a position reaches those who watch them. Who may watch is asked of orders.
create table tracked_orders (
  order_id text primary key,
  driver_id text,
  status text not null check (status in ('active', 'closed')),
  updated_at timestamptz not null default now(),
  check (driver_id is not null or status = 'closed')
);

create index tracked_orders_of_driver on tracked_orders (driver_id) where status = 'active';
