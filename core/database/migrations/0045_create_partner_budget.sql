-- What partners may have in a day (UTC), where ops have given one another budget than the settings', and what nodes have
-- taken of it. A node takes slices: `used` runs ahead of what was really used by what the nodes hold.
create table returnit.partner_budget (
  partner_id text not null,
  budget text not null,
  per_day bigint not null check (per_day >= 0),
  updated_at timestamptz not null default now(),
  primary key (partner_id, budget)
);

create table returnit.partner_budget_use (
  partner_id text not null,
  budget text not null,
  day date not null,
  used bigint not null,
  -- Of the last slice: what the statement that took it answers.
  granted bigint not null,
  primary key (partner_id, budget, day)
);

-- A tenth of what is left at most: slices shrink towards the end, so that no node holds what another needs.
create function returnit.budget_slice(per_day bigint, used bigint, wanted bigint) returns bigint
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select greatest(0, least(per_day - used, greatest(1, least(wanted, (per_day - used) / 10))))
$$;

revoke all on table returnit.partner_budget, returnit.partner_budget_use from public;
