-- The sessions that nodes hold at an external broker. A broker goes on giving a session its share of the messages after
-- its node has died; whoever finds a row that is no longer renewed takes the session over and empties it.
create table returnit.mqtt_session (
  client_id text primary key,
  broker text not null,
  plugin text not null,
  filters text[] not null,
  -- The node that answers for it: its own, or the one that empties it.
  keeper text not null,
  seen_at timestamptz not null default clock_timestamp()
);

revoke all on table returnit.mqtt_session from public;
