-- A member of the event's data that a subscriber asks for: events without it, or with null, are none of its.
alter table returnit.event_subscription add column member text;
