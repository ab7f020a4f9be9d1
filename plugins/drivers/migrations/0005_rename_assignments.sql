alter table assignments rename to driver_assignments;
alter table driver_assignments drop constraint assignments_status_check, drop constraint assignments_check,
  drop constraint assignments_check1;

-- Milliseconds: what a cursor carries must be exact.
alter table driver_assignments
  alter column created_at type timestamptz(3),
  add column partner_id text,
  -- Of the pickup: it grows when a failed one is done again.
  add column attempt integer not null default 1,
  -- Grows with each assignment and its end, so that who hears of them out of order knows the newest.
  add column sequence integer not null default 0,
  -- Grows each time the order begins to wait: jobs of an earlier wait know that they are late.
  add column round integer not null default 1,
  add column version integer not null default 1,
  add column window_start timestamptz,
  add column destination_lat double precision,
  add column destination_lon double precision,
  add column parcels integer not null default 1 check (parcels > 0),
  add column volume_l integer,
  add column waiting_since timestamptz,
  add column tried_at timestamptz,
  add column picked_up_at timestamptz,
  add column hold_reason text,
  -- Since when the driver's silence after the pickup has been told of.
  add column silence_told_at timestamptz;

update driver_assignments set sequence = 1 where driver_id is not null;
update driver_assignments set waiting_since = created_at where status = 'waiting';

alter table driver_assignments
  add constraint driver_assignments_status
    check (status in ('waiting', 'held', 'assigned', 'accepted', 'failed', 'expired', 'ended')),
  add constraint driver_assignments_driver check (driver_id is not null or status not in ('assigned', 'accepted')),
  add constraint driver_assignments_place
    check (status in ('failed', 'ended') or (pickup_lat is not null and pickup_lon is not null and window_end is not null)),
  add constraint driver_assignments_wait check (status <> 'waiting' or waiting_since is not null);

alter index assignments_pkey rename to driver_assignments_pkey;
alter index assignments_waiting rename to idx_driver_assignments_waiting;
drop index assignments_of_driver;
create index idx_driver_assignments_active on driver_assignments (driver_id, status)
  where status in ('assigned', 'accepted');
-- Pages of those that ops look at, newest first.
create index idx_driver_assignments_status_created on driver_assignments (status, created_at desc, order_id desc);

create table driver_assignment_steps (
  order_id text not null references driver_assignments,
  sequence integer not null,
  step text not null check (step in ('assigned', 'unassigned', 'held', 'released', 'failed', 'ended')),
  attempt integer not null,
  driver_id text,
  by_kind text not null,
  by_id text not null,
  reason text,
  at timestamptz not null default clock_timestamp(),
  primary key (order_id, at, step)
);

-- Offers and steps of orders that have been over for long are removed; this says of which.
alter table driver_assignments add column history_forgotten_at timestamptz;
create index idx_driver_assignments_ended on driver_assignments (ended_at)
  where status = 'ended' and history_forgotten_at is null;
