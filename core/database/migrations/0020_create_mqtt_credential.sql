-- A device's credentials at the embedded broker. The secret is 256 random bits, so one SHA-256 is enough to keep it.
create table returnit.mqtt_credential (
  username text primary key,
  secret_hash bytea not null check (octet_length(secret_hash) = 32),
  publish text[] not null,
  subscribe text[] not null,
  -- The plugin that issued them: no other may replace or revoke them.
  plugin text not null,
  created_at timestamptz not null default now(),
  revoked_at timestamptz
);

-- Each node caches credentials and drops what is named here; whoever writes the table, a change is announced.
create function returnit.mqtt_credential_changed() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pg_notify('returnit_mqtt_credential', coalesce(new.username, old.username));
  return null;
end
$$;

create trigger mqtt_credential_changed after insert or update or delete on returnit.mqtt_credential
for each row execute function returnit.mqtt_credential_changed();

revoke all on table returnit.mqtt_credential from public;
