-- Places in pickup windows. A row comes with the first booking, or with a capacity of its own.
create table pickup_windows (
  -- An H3 cell.
  area text not null,
  starts_at timestamptz not null,
  taken integer not null default 0 check (taken >= 0),
  -- Null: the default of the settings.
  capacity integer check (capacity >= 0),
  version integer not null default 1,
  primary key (area, starts_at)
);

-- Which place an order holds: it is given back once, by the row that goes.
create table order_places (
  order_id uuid primary key references orders on delete cascade,
  area text not null,
  starts_at timestamptz not null
);

create table price_lists (
  version integer primary key check (version > 0),
  valid_from timestamptz not null,
  currency text not null,
  base_minor integer not null check (base_minor >= 0),
  further_parcel_minor integer not null check (further_parcel_minor >= 0),
  -- [{"upToM": 10000, "amountMinor": 0}, …, {"upToM": null, "amountMinor": 900}], growing.
  distance_bands jsonb not null,
  -- [{"upToMinutes": 30, "amountMinor": 300}, …, {"upToMinutes": null, "amountMinor": 0}], growing.
  window_bands jsonb not null,
  created_by text not null,
  created_at timestamptz not null default now()
);

insert into price_lists (version, valid_from, currency, base_minor, further_parcel_minor, distance_bands, window_bands,
  created_by)
values (1, '2020-01-01T00:00:00Z', 'EUR', 590, 100,
  '[{"upToM": 10000, "amountMinor": 0}, {"upToM": 25000, "amountMinor": 250}, {"upToM": 50000, "amountMinor": 600},
    {"upToM": null, "amountMinor": 1500}]',
  '[{"upToMinutes": 30, "amountMinor": 300}, {"upToMinutes": null, "amountMinor": 0}]', 'migration');

create table quotes (
  quote_id uuid primary key,
  created_by_role text not null,
  created_by text not null,
  content jsonb not null,
  price jsonb not null,
  expires_at timestamptz not null,
  created_at timestamptz not null default now()
);
create index quotes_by_expiry on quotes (expires_at);

alter table orders
  add column price_version integer,
  add column quote_id uuid;
