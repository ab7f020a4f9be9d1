-- Who was registered before was given orders without being asked, and its phone may not yet hear of offers: it stays so.
alter table drivers
  add column status text not null default 'approved' check (status in ('applied', 'approved', 'suspended')),
  add column status_reason text,
  add column auto_accept boolean not null default true,
  add column on_break boolean not null default false,
  add column capacity_parcels integer check (capacity_parcels > 0),
  add column capacity_volume_l integer check (capacity_volume_l > 0),
  add column last_offered_at timestamptz,
  add column version integer not null default 1,
  add check (on_shift or not on_break),
  add check (status = 'approved' or not on_shift);
alter table drivers alter column status drop default, alter column auto_accept set default false;

-- What became of a driver, who did it and why.
create table driver_status_changes (
  driver_id text not null references drivers,
  changed_at timestamptz not null default clock_timestamp(),
  status text not null,
  reason text,
  by_kind text not null,
  by_id text not null,
  primary key (driver_id, changed_at)
);

create table driver_documents (
  driver_id text not null references drivers,
  kind text not null,
  number text not null,
  expires_on date not null,
  recorded_at timestamptz not null default now(),
  recorded_by text not null,
  -- Of which expiry the warning was given.
  warned_for date,
  primary key (driver_id, kind)
);

create index driver_documents_by_expiry on driver_documents (expires_on);

create table driver_shifts (
  driver_id text not null references drivers,
  kind text not null check (kind in ('shift', 'break')),
  -- Milliseconds: what a cursor carries must be exact.
  started_at timestamptz(3) not null default clock_timestamp(),
  started_by text not null,
  ended_at timestamptz,
  ended_by text,
  primary key (driver_id, started_at, kind)
);

create unique index driver_shifts_open on driver_shifts (driver_id, kind) where ended_at is null;

-- Shifts under way were recorded in the driver alone.
insert into driver_shifts (driver_id, kind, started_at, started_by)
  select driver_id, 'shift', coalesce(shift_changed_at, created_at), driver_id from drivers where on_shift;

create index driver_shifts_ended on driver_shifts (ended_at) where ended_at is not null;
