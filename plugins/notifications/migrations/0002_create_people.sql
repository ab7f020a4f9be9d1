-- How somebody is reached, and when not.
create table people (
  role text not null check (role in ('customer', 'driver', 'partner')),
  person_id text not null,
  email text,
  phone text,
  push_token text,
  locale text,
  time_zone text,
  quiet_start text,
  quiet_end text,
  urgent_passes boolean not null default true,
  channels jsonb not null default '{}',
  version integer not null default 1,
  updated_at timestamptz not null default now(),
  primary key (role, person_id),
  check ((quiet_start is null) = (quiet_end is null))
);

-- How far each order is, as far as is known here: it decides which messages still say what is.
create table order_progress (
  order_id text primary key,
  version bigint,
  status text,
  assignment_sequence bigint,
  updated_at timestamptz not null
);

create index order_progress_by_age on order_progress (updated_at);
