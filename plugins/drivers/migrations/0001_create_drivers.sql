create table drivers (
  driver_id text primary key,
  name text not null,
  vehicle text not null check (vehicle in ('bicycle', 'cargo_bike', 'car', 'van')),
  on_shift boolean not null default false,
  shift_changed_at timestamptz,
  created_at timestamptz not null default now()
);

create index drivers_on_shift on drivers (driver_id) where on_shift;

-- What a device is called; the core keeps the hash of its password.
create table driver_devices (
  driver_id text not null references drivers,
  device_id text not null,
  username text not null unique,
  issued_at timestamptz not null default now(),
  issued_by text not null,
  revoked_at timestamptz,
  primary key (driver_id, device_id)
);
