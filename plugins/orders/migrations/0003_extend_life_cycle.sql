alter table orders
  drop constraint orders_status_check,
  add constraint orders_status_check check (status in (
    'created', 'scheduled', 'assigned', 'on_the_way', 'arrived', 'pickup_failed', 'picked_up', 'delivered', 'completed',
    'cancelled')),
  -- Tries to pick the parcels up, this one included.
  add column attempt integer not null default 1 check (attempt > 0),
  -- The newest assignment, or end of one, that is known: an older one changes nothing any more.
  add column assignment_sequence integer not null default 0,
  add column assigned_at timestamptz,
  -- Of the newest pickup that failed.
  add column failure_reason text;

update orders o set assigned_at = h.occurred_at, assignment_sequence = 1
  from order_history h where h.order_id = o.order_id and h.to_status = 'assigned';

alter table order_history add column action text, add column trace_id text;

create or replace view order_stops as
  select o.order_id, stop.stop, stop.lat, stop.lon,
    -- Who passes the store before the parcels are picked up is not there for this order.
    case stop.stop when 'destination' then picked_up.occurred_at end as since,
    o.status
  from orders o
  cross join lateral (values
    ('pickup', (o.pickup ->> 'lat')::float8, (o.pickup ->> 'lon')::float8),
    ('destination', (o.destination #>> '{address,lat}')::float8, (o.destination #>> '{address,lon}')::float8)
  ) as stop (stop, lat, lon)
  -- A change of the notes is a line of the history too, which leads nowhere else.
  left join order_history picked_up on picked_up.order_id = o.order_id and picked_up.to_status = 'picked_up'
    and picked_up.from_status is distinct from 'picked_up'
  where (o.status in ('assigned', 'on_the_way', 'arrived', 'picked_up', 'delivered')
      or (o.status = 'completed' and o.updated_at > now() - interval '1 hour'))
    and (stop.stop = 'pickup' or picked_up.occurred_at is not null);
