-- Where the driver of an order has to go, for those who tell when the driver is there: places of orders under way alone,
-- and of a completed one for an hour, in which the driver leaves. No names, no streets.
create view order_stops as
  select o.order_id, stop.stop, stop.lat, stop.lon,
    -- Who passes the store before the parcels are picked up is not there for this order.
    case stop.stop when 'destination' then picked_up.occurred_at end as since,
    o.status
  from orders o
  cross join lateral (values
    ('pickup', (o.pickup ->> 'lat')::float8, (o.pickup ->> 'lon')::float8),
    ('destination', (o.destination #>> '{address,lat}')::float8, (o.destination #>> '{address,lon}')::float8)
  ) as stop (stop, lat, lon)
  left join order_history picked_up on picked_up.order_id = o.order_id and picked_up.to_status = 'picked_up'
  where (o.status in ('assigned', 'on_the_way', 'picked_up', 'delivered')
      or (o.status = 'completed' and o.updated_at > now() - interval '1 hour'))
    and (stop.stop = 'pickup' or picked_up.occurred_at is not null);
