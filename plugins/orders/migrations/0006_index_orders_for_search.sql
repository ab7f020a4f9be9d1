-- `search_text` is written in small letters and without punctuation, so that words are cut alike here and in a query.
alter table orders
  add column search_text text not null default '',
  add column search tsvector generated always as (to_tsvector('simple', search_text)) stored;

update orders o set search_text = regexp_replace(lower(concat_ws(' ', reference, pickup ->> 'line1', pickup ->> 'line2',
    pickup ->> 'city', pickup ->> 'postalCode', destination ->> 'name', destination #>> '{address,line1}',
    destination #>> '{address,city}', destination #>> '{address,postalCode}', p.codes)), '[!-/:-@\[-`{-~]+', ' ', 'g')
  from (select order_id, string_agg(code, ' ') as codes from order_parcels group by order_id) p
  where p.order_id = o.order_id;

-- Ids are no longer made in the order of time: some come from an idempotency key.
drop index orders_by_customer;
drop index orders_by_partner;
drop index orders_by_driver;
drop index orders_by_status;
create index idx_orders_status_created on orders (status, created_at);
create index orders_by_customer on orders (customer_id, created_at, order_id);
create index orders_by_partner on orders (partner_id, created_at, order_id) where partner_id is not null;
create index orders_by_driver on orders (driver_id, created_at, order_id) where driver_id is not null;
create index orders_by_creation on orders (created_at, order_id);
create index orders_by_text on orders using gin (search);
