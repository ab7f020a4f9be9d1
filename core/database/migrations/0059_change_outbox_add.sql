-- The node that commits wakes its relay by itself. A notification made Postgres commit all that publish one at a time.
create or replace function returnit.outbox_add(
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
end
$$;
