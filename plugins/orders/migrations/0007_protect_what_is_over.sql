create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% of order % cannot be changed', tg_argv[0], old.order_id using errcode = 'integrity_constraint_violation';
end $$;

-- What was completed is paid for and proven: whoever wants to change it needs another order.
create trigger completed_orders_stay before update on orders
  for each row when (old.status = 'completed') execute function refuse_change('the completion');
-- What has happened has happened.
create trigger history_stays before update on order_history
  for each row execute function refuse_change('the history');
-- Their codes are on labels.
create trigger parcels_stay before update on order_parcels
  for each row execute function refuse_change('the parcels');
