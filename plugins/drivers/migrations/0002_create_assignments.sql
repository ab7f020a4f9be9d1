create table assignments (
  -- The key is what keeps an order from having two drivers.
  order_id text primary key,
  customer_id text,
  status text not null check (status in ('waiting', 'assigned', 'ended', 'expired')),
  driver_id text references drivers,
  pickup_lat double precision,
  pickup_lon double precision,
  window_end timestamptz,
  unavailable_at timestamptz,
  created_at timestamptz not null default now(),
  assigned_at timestamptz,
  ended_at timestamptz,
  check ((driver_id is not null) or status <> 'assigned'),
  check ((pickup_lat is not null and pickup_lon is not null and window_end is not null) or status = 'ended')
);

create index assignments_waiting on assignments (created_at) where status = 'waiting';
create index assignments_of_driver on assignments (driver_id) where status = 'assigned';
