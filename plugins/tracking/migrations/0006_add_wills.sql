-- When the newest position's device said last, by its will or by itself, that it is gone. It hastens `offline` and
-- nothing else; a newer fix makes it meaningless, so nobody needs to clear it.
alter table newest_positions add column will_at timestamptz(3);
