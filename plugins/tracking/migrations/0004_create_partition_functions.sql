create function ping_partition_name(day date) returns text
  language sql immutable return 'driver_location_pings_' || to_char(day, 'YYYYMMDD');

/*
 * Makes what is missing of these days' partitions and says how many it made. A partition is made beside the table and
 * attached to it: unlike `partition of`, that stops neither readers nor writers. The lock holds makers apart, on
 * whatever node, and nobody else.
 */
create function make_ping_partitions(days date[]) returns int
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
    -- The zone is written out: a day is UTC's, whatever zone the session has and whatever its clocks do that day.
    execute format('alter table driver_location_pings attach partition %I for values from (%L) to (%L)',
      ping_partition_name(missing), to_char(missing, 'YYYY-MM-DD') || ' 00:00:00+00',
      to_char(missing + 1, 'YYYY-MM-DD') || ' 00:00:00+00');
    made := made + 1;
  end loop;
  return made;
end $$;

create view ping_partitions as
  select to_date(right(p.relname, 8), 'YYYYMMDD') as day, p.relname::text as name
  from pg_catalog.pg_inherits i join pg_catalog.pg_class p on p.oid = i.inhrelid
  where i.inhparent = 'driver_location_pings'::regclass;

/*
 * Drops the oldest partition of a day before this one and returns its day; null when there is none. Dropping waits for
 * those who use the table, and whoever comes later waits behind it: so one a transaction, and not for long.
 */
create function drop_oldest_ping_partition(before date) returns date
  language plpgsql set lock_timeout = '2s' as $$
declare
  oldest record;
begin
  if not exists (select from ping_partitions p where p.day < before) then
    return null;
  end if;
  lock table only driver_location_pings in access exclusive mode;
  select p.day, p.name into oldest from ping_partitions p where p.day < before order by p.day limit 1;
  if oldest.name is null then
    return null;
  end if;
  execute format('drop table %I', oldest.name);
  return oldest.day;
end $$;

-- The fixes as they were sent, for whoever looks with psql. The plugin reads the table itself, by its index.
create view driver_fixes as
  select r.driver_id, d.device, p.recorded_at, p.lat / 1e7::float8 as lat, p.lon / 1e7::float8 as lon,
    nullif(p.accuracy_cm, -1) / 100.0::float8 as accuracy_m, nullif(p.speed_cm_per_s, -1) / 100.0::float8 as speed_mps,
    nullif(p.heading_tenths, -1) / 10.0::float8 as heading_deg,
    p.recorded_at + p.received_lag_centiseconds * interval '10 milliseconds' as received_at, p.flags
  from driver_location_pings p join ping_drivers r using (driver_key) join ping_devices d using (device_key);
