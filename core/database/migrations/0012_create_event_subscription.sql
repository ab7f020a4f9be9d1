-- Which plugin gets which event. A row stays while the plugin is down, so its events wait for it.
create table returnit.event_subscription (
  event text not null,
  plugin text not null,
  created_at timestamptz not null default now(),
  primary key (event, plugin)
);

revoke all on table returnit.event_subscription from public;
