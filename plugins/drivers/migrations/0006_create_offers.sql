create table driver_offers (
  offer_id uuid primary key,
  order_id text not null references driver_assignments,
  driver_id text not null references drivers,
  attempt integer not null,
  -- Of the order's waits, the one that it was made in: it is worth nothing in the next.
  round integer not null,
  state text not null default 'open'
    check (state in ('open', 'accepted', 'declined', 'timed_out', 'withdrawn', 'lost')),
  reason text,
  distance_m double precision not null,
  -- Milliseconds: what a cursor carries must be exact.
  created_at timestamptz(3) not null default clock_timestamp(),
  expires_at timestamptz not null,
  closed_at timestamptz,
  check ((closed_at is null) = (state = 'open'))
);

-- A driver is asked once at a time for an order.
create unique index driver_offers_open on driver_offers (order_id, driver_id) where state = 'open';
create index driver_offers_open_of_driver on driver_offers (driver_id, created_at) where state = 'open';
create index driver_offers_of_order on driver_offers (order_id, created_at desc, offer_id desc);
create index driver_offers_of_driver on driver_offers (driver_id, created_at desc, offer_id desc);
