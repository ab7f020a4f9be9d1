-- A pickup for which nobody was found has failed as well.
alter table orders
  drop constraint orders_check1,
  add constraint orders_driver_check check (
    driver_id is not null or status in ('created', 'scheduled', 'pickup_failed', 'cancelled'));

-- Few at a time: those that wait for somebody to choose a new time.
create index orders_failed_pickups on orders (updated_at) where status = 'pickup_failed';
