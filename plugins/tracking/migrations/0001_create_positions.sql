-- The key holds the time, so the table can be partitioned by it. Milliseconds: what a cursor carries must be exact.
create table driver_location_pings (
  driver_id text not null,
  device text not null,
  recorded_at timestamptz(3) not null,
  lat double precision not null,
  lon double precision not null,
  accuracy_m real,
  speed_mps real,
  heading_deg real,
  received_at timestamptz not null default now(),
  primary key (driver_id, device, recorded_at, lat, lon)
);

create index driver_location_pings_by_time on driver_location_pings (driver_id, recorded_at desc);

create table newest_positions (
  driver_id text primary key,
  device text not null,
  recorded_at timestamptz(3) not null,
  lat double precision not null,
  lon double precision not null,
  accuracy_m real,
  speed_mps real,
  heading_deg real,
  received_at timestamptz not null default now()
) with (fillfactor = 70);

create view driver_position as
  select driver_id, lat, lon, recorded_at, accuracy_m, speed_mps, heading_deg from newest_positions;
