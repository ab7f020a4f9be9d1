/*
 * A track is what one device says of one driver. With one key for both, an entry of the index has 16 bytes of key, and
 * with no more than that Postgres leaves a page of the index full when a track goes on behind it: with 28 it left half.
 */
create table ping_tracks (
  track_key int4 primary key generated always as identity,
  driver_id text not null,
  device text not null,
  unique (driver_id, device)
);

-- Milliseconds since the UTC day began: in a partition this is the fix time, in four bytes.
create function ping_ms(at timestamptz) returns int4 language sql immutable parallel safe
  return (((date_part('epoch', at at time zone 'utc') * 1000)::int8) % 86400000)::int4;

drop view driver_fixes;
drop view ping_partitions;
alter table driver_location_pings rename to driver_location_pings_by_driver;

do $$
declare
  partition regclass;
begin
  for partition in select inhrelid::regclass from pg_catalog.pg_inherits
    where inhparent = 'driver_location_pings_by_driver'::regclass
  loop
    execute format('alter table %s rename to %I', partition,
      replace(partition::text, 'driver_location_pings_', 'driver_location_pings_by_driver_'));
  end loop;
end $$;

/*
 * A partition for each UTC day, in which rows of 64 bytes lie without a gap: that is why the order of the columns is
 * this one, and why what is not known is -1 and not null. There is no default partition: a row in it would keep its
 * day's partition from being made.
 */
create table driver_location_pings (
  recorded_at timestamptz(3) not null,
  track_key int4 not null,
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

create view ping_partitions as
  select to_date(right(p.relname, 8), 'YYYYMMDD') as day, p.relname::text as name
  from pg_catalog.pg_inherits i join pg_catalog.pg_class p on p.oid = i.inhrelid
  where i.inhparent = 'driver_location_pings'::regclass;

/*
 * As it was, and the index: identity, and reading by time. It is the partition's and not the table's, for a unique index
 * of the table would have to name the whole of recorded_at.
 */
create or replace function make_ping_partitions(days date[]) returns int
  language plpgsql set lock_timeout = '5s' as $$
declare
  missing date;
  made int := 0;
begin
  if not exists (select from unnest(days) d (day) where to_regclass(ping_partition_name(d.day)) is null) then
    return 0;
  end if;
  lock table only driver_location_pings in share update exclusive mode;
  for missing in
    select distinct d.day from unnest(days) d (day)
    where to_regclass(ping_partition_name(d.day)) is null order by d.day
  loop
    execute format('create table %I (like driver_location_pings including defaults)', ping_partition_name(missing));
    execute format('create unique index %I on %I (track_key, ping_ms(recorded_at), lat, lon)',
      ping_partition_name(missing) || '_identity', ping_partition_name(missing));
    -- The zone is written out: a day is UTC's, whatever zone the session has and whatever its clocks do that day.
    execute format('alter table driver_location_pings attach partition %I for values from (%L) to (%L)',
      ping_partition_name(missing), to_char(missing, 'YYYY-MM-DD') || ' 00:00:00+00',
      to_char(missing + 1, 'YYYY-MM-DD') || ' 00:00:00+00');
    made := made + 1;
  end loop;
  return made;
end $$;

insert into ping_tracks (driver_id, device)
  select r.driver_id, d.device
  from (select distinct driver_key, device_key from driver_location_pings_by_driver) p
    join ping_drivers r using (driver_key) join ping_devices d using (device_key)
  order by r.driver_id, d.device;

select make_ping_partitions(array(
  select distinct (recorded_at at time zone 'utc')::date from driver_location_pings_by_driver));

-- In the order of the index, which then grows at its end.
insert into driver_location_pings (recorded_at, track_key, lat, lon, received_lag_centiseconds, accuracy_cm,
  speed_cm_per_s, heading_tenths, flags)
select p.recorded_at, t.track_key, p.lat, p.lon, p.received_lag_centiseconds, p.accuracy_cm, p.speed_cm_per_s,
  p.heading_tenths, p.flags
from driver_location_pings_by_driver p
  join ping_drivers r using (driver_key)
  join ping_devices d using (device_key)
  join ping_tracks t on t.driver_id = r.driver_id and t.device = d.device
order by t.track_key, p.recorded_at, p.lat, p.lon;

drop table driver_location_pings_by_driver;
drop table ping_drivers;
drop table ping_devices;

-- The fixes as they were sent, for whoever looks with psql. The plugin reads the table itself, by its index.
create view driver_fixes as
  select t.driver_id, t.device, p.recorded_at, p.lat / 1e7::float8 as lat, p.lon / 1e7::float8 as lon,
    nullif(p.accuracy_cm, -1) / 100.0::float8 as accuracy_m, nullif(p.speed_cm_per_s, -1) / 100.0::float8 as speed_mps,
    nullif(p.heading_tenths, -1) / 10.0::float8 as heading_deg,
    p.recorded_at + p.received_lag_centiseconds * interval '10 milliseconds' as received_at, p.flags
  from driver_location_pings p join ping_tracks t using (track_key);
