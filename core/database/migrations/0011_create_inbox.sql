-- Which plugin has handled which event. The role is the one logged in, so a plugin can mark its own events alone.
create table returnit.inbox (
  role name not null,
  event_id uuid not null,
  taken_at timestamptz not null default now(),
  primary key (role, event_id)
);

create index inbox_taken_at on returnit.inbox (taken_at);

-- True the first time. A second delivery waits here for the first one's transaction to end.
create function returnit.inbox_take(p_event_id uuid) returns boolean
language sql
security definer
set search_path = pg_catalog, pg_temp
as $$
  with taken as (
    insert into returnit.inbox (role, event_id)
    values (session_user, p_event_id)
    on conflict do nothing
    returning true
  )
  select exists (select from taken)
$$;

revoke all on table returnit.inbox from public;
