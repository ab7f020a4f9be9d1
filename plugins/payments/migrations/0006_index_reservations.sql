-- What is reserved is compared with the provider however long ago it was booked: of all payments ever made a few.
create index payments_reserved on payments (payment_id) where intent = 'authorised';
