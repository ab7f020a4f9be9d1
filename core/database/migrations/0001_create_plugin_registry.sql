-- One row for each plugin that ever ran here. The hash is of the token with which the core proves itself to the
-- `security definer` functions of this schema on a plugin's own connection, where the session is the plugin's role.
create table returnit.plugin (
  role name primary key,
  name text not null unique,
  token_hash bytea not null,
  created_at timestamptz not null default now()
);

-- Called in the transaction of a plugin's migration, so that both happen or neither.
create function returnit.record_plugin_migration(token text, version integer, name text, checksum text) returns void
language plpgsql security definer set search_path = pg_catalog
as $$
declare
  plugin_name text;
begin
  select plugin.name into plugin_name from returnit.plugin
    where plugin.role = session_user and plugin.token_hash = sha256(convert_to(token, 'UTF8'));
  if plugin_name is null then
    raise exception 'only the core may record a migration' using errcode = 'insufficient_privilege';
  end if;
  insert into returnit.migration (scope, version, name, checksum)
    values (plugin_name, record_plugin_migration.version, record_plugin_migration.name, record_plugin_migration.checksum);
end
$$;
