alter table notifications
  -- Drivers are told of their account, too.
  alter column order_id drop not null,
  add column state text not null default 'pending'
    check (state in ('pending', 'held', 'sending', 'sent', 'failed', 'dropped')),
  add column event_at timestamptz,
  add column locale text not null default 'en',
  add column html text,
  -- What the message was made of: another channel may have to say it again.
  add column facts jsonb,
  add column order_version bigint,
  add column assignment_sequence bigint,
  add column expires_at timestamptz,
  add column attempts integer not null default 0,
  add column due_at timestamptz,
  add column held_until timestamptz,
  add column claimed_at timestamptz,
  add column last_error text,
  add column drop_reason text,
  add column fallback_of uuid;

update notifications
  set event_at = created_at, state = case when sent_at is null then 'pending' else 'sent' end;

alter table notifications
  alter column event_at set not null,
  drop constraint notifications_recipient_role_check,
  -- Partners are told of their webhooks.
  add constraint notifications_recipient_role_check check (recipient_role in ('customer', 'driver', 'partner')),
  drop constraint notifications_event_id_channel_key,
  -- One message an event, channel and person, however often the event is delivered.
  add constraint notifications_once unique (event_id, channel, recipient_role, recipient_id);

-- The messages of an order to somebody by a channel go out in their order.
create index notifications_by_order on notifications (order_id, sequence);
create index notifications_by_age on notifications (created_at);
