-- Two may write a document, its driver and ops: each change has its number.
alter table driver_documents add column version integer not null default 1;
