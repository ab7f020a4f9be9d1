-- Partners' API keys. The secret is 256 random bits, so one SHA-256 of the key is enough to keep it.
create table returnit.api_key (
  -- Stands in the key itself.
  key_id text primary key,
  position bigint generated always as identity unique,
  -- All keys that came from one by rotation.
  family uuid not null,
  partner_id text not null,
  name text not null,
  secret_hash bytea not null check (octet_length(secret_hash) = 32),
  scopes text[] not null,
  created_at timestamptz not null default now(),
  created_by_role text not null,
  created_by text not null,
  expires_at timestamptz,
  revoked_at timestamptz,
  replaced_by text references returnit.api_key (key_id),
  -- To the minute.
  last_used_at timestamptz
);

create index api_key_partner on returnit.api_key (partner_id, position desc);
create index api_key_family on returnit.api_key (family);

-- Each node caches keys and drops what is named here; whoever writes the table, a change is announced. That a key was
-- used is no change.
create function returnit.api_key_changed() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pg_notify('returnit_api_key', coalesce(new.key_id, old.key_id));
  return null;
end
$$;

create trigger api_key_changed
after insert or delete or update of secret_hash, scopes, partner_id, expires_at, revoked_at on returnit.api_key
for each row execute function returnit.api_key_changed();

revoke all on table returnit.api_key from public;
