-- What was stored before there were partitions. Its days get partitions, however old; retention drops them in its time.
insert into ping_drivers (driver_id)
  select distinct driver_id from driver_location_pings_unpartitioned order by driver_id;

insert into ping_devices (device)
  select distinct device from driver_location_pings_unpartitioned order by device;

select make_ping_partitions(array(
  select distinct (recorded_at at time zone 'utc')::date from driver_location_pings_unpartitioned));

-- In the order of the index, which then grows at its end. Fixes less than a centimetre apart become one.
insert into driver_location_pings (recorded_at, driver_key, device_key, lat, lon, received_lag_centiseconds, accuracy_cm,
  speed_cm_per_s, heading_tenths)
select o.recorded_at, r.driver_key, d.device_key, round(o.lat * 1e7)::int4, round(o.lon * 1e7)::int4,
  least(greatest(round(extract(epoch from o.received_at - o.recorded_at) * 100), -2147483648), 2147483647)::int4,
  coalesce(round(o.accuracy_m * 100)::int4, -1), coalesce(round(o.speed_mps * 100)::int4, -1),
  coalesce((round(o.heading_deg * 10)::int4 % 3600)::smallint, -1)
from driver_location_pings_unpartitioned o
  join ping_drivers r using (driver_id)
  join ping_devices d using (device)
order by r.driver_key, o.recorded_at, d.device_key, o.lat, o.lon
on conflict do nothing;

drop table driver_location_pings_unpartitioned;
