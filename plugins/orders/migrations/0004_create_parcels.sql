create table order_parcels (
  -- What is scanned: unique among all parcels.
  code text primary key,
  order_id uuid not null references orders,
  position integer not null check (position > 0),
  description text not null,
  length_cm integer,
  width_cm integer,
  height_cm integer,
  weight_grams integer,
  unique (order_id, position)
);

-- What was booked as items with a quantity becomes that many parcels.
insert into order_parcels (code, order_id, position, description)
select 'RP' || upper(substr(replace(gen_random_uuid()::text, '-', ''), 1, 12)), order_id,
  row_number() over (partition by order_id order by line, piece), description
from orders,
  lateral (select ordinality as line, item ->> 'description' as description, (item ->> 'quantity')::integer as quantity
    from jsonb_array_elements(items) with ordinality as i (item, ordinality)) as i,
  lateral generate_series(1, quantity) as piece;

alter table orders
  drop column items,
  add column parcel_count integer not null default 1 check (parcel_count > 0),
  add column retailer text,
  -- The retailer's own number of the purchase; `reference` is the client's of the booking.
  add column order_reference text,
  add column notes text,
  -- Kinds of proof without which the parcels are not picked up and not delivered.
  add column proof_required jsonb not null default '{"pickup": [], "dropOff": []}';

update orders o set parcel_count = p.parcels
  from (select order_id, count(*) as parcels from order_parcels group by order_id) p where p.order_id = o.order_id;

-- What an order of a destination needs when it is booked. Nothing, until ops says otherwise.
create table proof_requirements (
  destination_kind text primary key check (destination_kind in ('store', 'carrier', 'warehouse')),
  pickup text[] not null default '{}',
  drop_off text[] not null default '{}',
  version integer not null default 1,
  changed_by text not null default 'migration',
  changed_at timestamptz not null default now()
);
insert into proof_requirements (destination_kind) values ('store'), ('carrier'), ('warehouse');
