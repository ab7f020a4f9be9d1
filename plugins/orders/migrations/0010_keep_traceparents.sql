-- Of the booking: the order's later steps go on in its trace. Older orders have none, and their steps traces of their own.
alter table orders add column traceparent text check (length(traceparent) <= 55);
