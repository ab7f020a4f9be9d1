-- Of the order's scheduling: what is done for it later, by jobs and by drivers, goes on in that trace.
alter table driver_assignments add column traceparent text check (length(traceparent) <= 55);
