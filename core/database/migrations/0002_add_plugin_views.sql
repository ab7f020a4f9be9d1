-- What each plugin publishes (names of its views) and may read (`tracking.driver_position`). Kept here and not only in
-- the manifests, since a node may run some of the plugins and must not undo what another node granted.
alter table returnit.plugin
  add column publishes text[] not null default '{}',
  add column reads text[] not null default '{}';
