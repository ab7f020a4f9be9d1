-- Signs share links. One row; without it every link that was issued has ended, and the next start makes a new one.
create table returnit.live_link_secret (
  singleton boolean primary key default true check (singleton),
  secret bytea not null check (octet_length(secret) = 32),
  created_at timestamptz not null default now()
);

revoke all on table returnit.live_link_secret from public;
