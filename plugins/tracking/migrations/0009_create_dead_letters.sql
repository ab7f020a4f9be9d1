-- Messages that were rejected and acknowledged: for a person to look at, and to replay. Bounded by store/dead-letters.ts.
create table dead_letters (
  id bigint generated always as identity,
  -- Of topic, user and whole payload: a device that repeats itself has one row, which counts.
  digest uuid not null unique,
  copies integer not null default 1,
  received_at timestamptz(3) not null,
  last_received_at timestamptz(3) not null,
  topic text not null,
  username text,
  -- Bytes, for what a device sends need not be text that Postgres takes.
  payload bytea not null,
  -- Of the whole; more than is kept when it was cut off.
  payload_bytes integer not null,
  reason text not null,
  detail text not null,
  replays integer not null default 0,
  replayed_at timestamptz(3),
  -- What counts for the bound, with what a row costs by itself.
  stored_bytes integer not null generated always as
    (octet_length(payload) + octet_length(topic) + coalesce(octet_length(username), 0) + octet_length(detail) + 150) stored,
  primary key (id) include (stored_bytes)
);
