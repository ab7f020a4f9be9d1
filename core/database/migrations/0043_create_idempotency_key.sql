-- Requests with an Idempotency-Key and what they were answered. The id is the SHA-256 of principal, route and key: of
-- one size whatever these are, and it does not show what a client chose. Without a status the request is being done, by
-- whoever holds the claim; once the lock is over, that node has ended and the next request takes the claim.
create table returnit.idempotency_key (
  id bytea primary key check (octet_length(id) = 32),
  -- Of method, path, query and body.
  fingerprint bytea not null check (octet_length(fingerprint) = 32),
  claim uuid not null,
  locked_until timestamptz not null,
  created_at timestamptz not null default now(),
  status smallint,
  content_type text,
  -- `json` and not `jsonb`: the order of headers stays.
  headers json,
  -- Null where the answer has none, or one that was too large.
  body text,
  is_body_kept boolean
);

create index idempotency_key_created_at on returnit.idempotency_key (created_at);

revoke all on table returnit.idempotency_key from public;
