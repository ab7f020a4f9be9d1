create table notifications (
  notification_id uuid primary key default gen_random_uuid(),
  sequence bigint generated always as identity unique,
  event_id text not null,
  channel text not null,
  recipient_role text not null check (recipient_role in ('customer', 'driver')),
  recipient_id text not null,
  order_id text not null,
  template text not null,
  title text not null,
  body text not null,
  created_at timestamptz not null default now(),
  sent_at timestamptz,
  -- One message an event and channel, however often the event is delivered.
  unique (event_id, channel)
);

create index notifications_by_recipient on notifications (recipient_role, recipient_id, sequence desc);
