-- For the job that deletes what is known of orders that are over for longer than fixes are kept.
create index tracked_orders_over on tracked_orders (updated_at) where status = 'closed';
