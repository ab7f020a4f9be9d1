-- With a key that every node derives, the secret can be computed again: an external broker that has forgotten its
-- accounts is told them. Null for credentials from before, and for those whose key was renewed: they are issued anew.
alter table returnit.mqtt_credential add column nonce bytea;
