-- Who may send positions. A driver without a device has one row with a null device.
create view driver_device as
  select d.driver_id, v.device_id, v.revoked_at is not null as suspended
  from drivers d left join driver_devices v on v.driver_id = d.driver_id;
