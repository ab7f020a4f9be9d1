-- An order may be given to another driver, and may be without one for a while. The order's own version says what is newer.
alter table tracked_orders
  drop constraint tracked_orders_status_check,
  drop constraint tracked_orders_check,
  add constraint tracked_orders_status_check check (status in ('active', 'paused', 'closed')),
  add constraint tracked_orders_driver_check check (driver_id is not null or status <> 'active'),
  add column version integer not null default 0;
