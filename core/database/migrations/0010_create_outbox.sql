-- What plugins publish and send, until the relay has moved it to the queues. Plugins reach it through
-- outbox_add() alone. `data` and `options` are text, so that the seal covers exactly the bytes that were written.
create table returnit.outbox (
  position bigint generated always as identity primary key,
  id uuid not null unique,
  plugin text not null,
  kind text not null check (kind in ('event', 'job')),
  name text not null,
  data text not null,
  options text not null,
  traceparent text,
  seal bytea not null,
  role name not null default session_user,
  created_at timestamptz not null default now()
);

-- Rows that must not or cannot be delivered: without the core's seal, or refused by the queues.
create table returnit.outbox_rejected (
  position bigint primary key,
  id uuid not null,
  plugin text not null,
  kind text not null,
  name text not null,
  data text not null,
  options text not null,
  role name not null,
  reason text not null,
  created_at timestamptz not null,
  rejected_at timestamptz not null default now()
);

-- The key of the seals: one for all nodes on this database, readable by the core's role alone.
create table returnit.seal_key (
  only_one boolean primary key default true check (only_one),
  key bytea not null
);

insert into returnit.seal_key (key)
values (decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));

-- Records the role that is logged in, whatever it has SET since; a cast to jsonb refuses what no queue could store.
create function returnit.outbox_add(
  p_id uuid, p_plugin text, p_kind text, p_name text, p_data text, p_options text, p_traceparent text, p_seal bytea
) returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if session_user <> current_user and session_user not like 'returnit\_%' then
    raise insufficient_privilege using message = 'Cannot publish: ' || session_user || ' is no role of a plugin';
  end if;
  perform p_data::jsonb, p_options::jsonb;
  insert into returnit.outbox (id, plugin, kind, name, data, options, traceparent, seal)
  values (p_id, p_plugin, p_kind, p_name, p_data, p_options, p_traceparent, p_seal);
  perform pg_notify('returnit_outbox', '');
end
$$;

revoke all on table returnit.outbox, returnit.outbox_rejected, returnit.seal_key from public;
grant usage on schema returnit to public;
