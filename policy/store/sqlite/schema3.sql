-- Version 3 of the schema: who bears a limit, and which tokens count, are found without reading the
-- documents of all. Tokens of logins, which carry a user and were made by no token, do not count (SPEC 12).
CREATE INDEX accounts_limit ON accounts (json_extract(doc, '$.limit_id'), id);
CREATE INDEX tokens_counted ON tokens (cid, (coalesce(json_extract(doc, '$.user_id'), 0) = 0 OR coalesce(json_extract(doc, '$.created_by'), 0) <> 0));

UPDATE head SET version = 3;
