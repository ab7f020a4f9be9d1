alter table driver_location_pings rename to driver_location_pings_unpartitioned;
alter index driver_location_pings_pkey rename to driver_location_pings_unpartitioned_pkey;

-- A fix names its driver and device by four bytes each, in the row and in the index. Keys are never used again.
create table ping_drivers (
  driver_key int4 primary key generated always as identity,
  driver_id text not null unique
);

create table ping_devices (
  device_key int4 primary key generated always as identity,
  device text not null unique
);

/*
 * A partition for each UTC day, in which rows of 64 bytes lie without a gap: that is why the order of the columns is
 * this one, and why what is not known is -1 and not null (ten columns with a null cost eight bytes more).
 * There is no default partition: a row in it would keep its day's partition from being made.
 */
create table driver_location_pings (
  recorded_at timestamptz(3) not null,
  driver_key int4 not null,
  device_key int4 not null,
  -- Degrees times 10^7: a centimetre.
  lat int4 not null,
  lon int4 not null,
  -- From fix to receipt; negative when the phone's clock was ahead.
  received_lag_centiseconds int4 not null,
  accuracy_cm int4 not null default -1,
  speed_cm_per_s int4 not null default -1,
  heading_tenths smallint not null default -1,
  -- 1 inaccurate, 2 impossible speed.
  flags smallint not null default 0
) partition by range (recorded_at);

/*
 * Identity and reading by time in one. All ascending, since a page begins after the whole key of the page before, and
 * rows are compared by an index only where its columns go one way; it is read backwards for the newest first.
 */
create unique index driver_location_pings_identity
  on driver_location_pings (driver_key, recorded_at, device_key, lat, lon);
