create table order_documents (
  document_id uuid primary key,
  order_id uuid not null references orders,
  kind text not null check (kind in ('label', 'qr', 'photo', 'signature')),
  -- What a photo or a signature proves, and during which try.
  stage text check (stage in ('pickup', 'dropOff')),
  attempt integer not null check (attempt > 0),
  content_type text not null,
  bytes integer not null check (bytes > 0),
  -- Of pictures, in pixels.
  width integer check (width > 0),
  height integer check (height > 0),
  sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  uploaded_by_kind text not null,
  uploaded_by text not null,
  uploaded_at timestamptz not null default now(),
  check ((kind in ('photo', 'signature')) = (stage is not null))
);
create index order_documents_by_order on order_documents (order_id, uploaded_at);

-- In pieces that fit a frame to the plugin, in both directions.
create table order_document_parts (
  document_id uuid not null references order_documents on delete cascade,
  part integer not null check (part >= 0),
  content bytea not null,
  primary key (document_id, part)
);
-- PDF, JPEG, PNG and WebP are compressed already.
alter table order_document_parts alter column content set storage external;

-- What was said at a stop: where and when, by whom it was signed for, which parcels were scanned. Only added to.
create table order_proofs (
  order_id uuid not null references orders,
  stage text not null check (stage in ('pickup', 'dropOff')),
  attempt integer not null check (attempt > 0),
  given_by_kind text not null,
  given_by text not null,
  -- By the clock of whoever gave it: the same again is the same.
  recorded_at timestamptz not null,
  lat double precision,
  lon double precision,
  accuracy_m double precision,
  codes text[] not null default '{}',
  signed_by text,
  remark text,
  received_at timestamptz not null default now(),
  primary key (order_id, stage, attempt, given_by_kind, given_by, recorded_at)
);

create function refuse_other_proof() returns trigger language plpgsql as $$
begin
  raise exception 'a proof of order % cannot be changed', old.order_id using errcode = 'integrity_constraint_violation';
end $$;
create trigger proofs_stay before update or delete on order_proofs for each row execute function refuse_other_proof();
create trigger documents_stay before update on order_documents for each row execute function refuse_other_proof();
create trigger proving_documents_stay before delete on order_documents
  for each row when (old.stage is not null) execute function refuse_other_proof();
