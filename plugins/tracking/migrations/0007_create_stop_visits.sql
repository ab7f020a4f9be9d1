-- What is known of a driver's visit at a stop of an order. `arrived_at` and `departed_at` are set once, in the transaction
-- of their events. The places themselves stay with the orders.
create table stop_visits (
  order_id text not null,
  stop text not null check (stop in ('pickup', 'destination')),
  driver_id text not null,
  -- The first fix of a stay that is not long enough yet to count.
  inside_at timestamptz(3),
  arrived_at timestamptz(3),
  -- The first fix of a departure that is not confirmed yet.
  outside_at timestamptz(3),
  departed_at timestamptz(3),
  primary key (order_id, stop),
  check (departed_at is null or arrived_at is not null)
);

create index stop_visits_not_departed on stop_visits (driver_id) where arrived_at is not null and departed_at is null;
