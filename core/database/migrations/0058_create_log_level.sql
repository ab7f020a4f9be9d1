-- Levels of the log that ops have set for a time, on all nodes: of a component of the core, of a plugin, or with both
-- empty of all lines. What is over is no level any more, and goes with the next change.
create table returnit.log_level (
  component text not null default '',
  plugin text not null default '',
  level text not null check (level in ('trace', 'debug', 'info', 'warn', 'error')),
  set_by_role text not null,
  set_by text not null,
  set_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  primary key (component, plugin),
  check (component = '' or plugin = '')
);

-- Nodes keep the levels in memory and read them again when told; whoever writes the table, a change is announced.
create function returnit.log_level_changed() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pg_notify('returnit_log_level', '');
  return null;
end
$$;

create trigger log_level_changed after insert or update or delete on returnit.log_level
for each statement execute function returnit.log_level_changed();

revoke all on table returnit.log_level from public;
