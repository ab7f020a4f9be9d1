-- Two of ops may set a partner's budgets: each change has its number. What is the default again is null, and no longer no
-- row: a row that is there can be waited for.
alter table returnit.partner_budget alter column per_day drop not null;

create table returnit.partner_budget_version (
  partner_id text primary key,
  version integer not null
);

revoke all on table returnit.partner_budget_version from public;
