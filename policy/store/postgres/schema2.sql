-- Version 2 of the schema: what all gateways together have used of rates (SPEC 15.7). It is nobody's
-- truth: a crash of the server empties it, which forgives what was owed. amount: microseconds of debt
-- at that time (microseconds of the epoch), or a sum, which time takes nothing from.
CREATE UNLOGGED TABLE aclgate.rates (name text PRIMARY KEY, drains boolean NOT NULL, amount bigint NOT NULL, at bigint NOT NULL) WITH (fillfactor = 50);
GRANT SELECT ON aclgate.rates TO aclgate_admin;
GRANT SELECT, INSERT, UPDATE, DELETE ON aclgate.rates TO aclgate_replica;
UPDATE aclgate.head SET version = 2;
