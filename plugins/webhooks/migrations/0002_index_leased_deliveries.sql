-- How many requests to an endpoint are under way is counted whenever something is sent to it, however much waits.
create index idx_webhook_deliveries_leased on webhook_deliveries (endpoint_id, leased_until)
  where state = 'pending' and leased_until is not null;
