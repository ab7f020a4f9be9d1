-- Who has shared an order's position, and until when. The link itself is signed by the core and kept by nobody.
create table share_links (
  share_id uuid primary key,
  order_id uuid not null,
  created_by_role text not null,
  created_by text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  revoked_at timestamptz,
  revoked_by_role text,
  revoked_by text,
  check ((revoked_at is null) = (revoked_by is null))
);

create index share_links_of_order on share_links (order_id, created_at desc);
create index share_links_by_expiry on share_links (expires_at);
