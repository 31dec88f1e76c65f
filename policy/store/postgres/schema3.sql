-- Version 3 of the schema: who bears a limit, and which tokens count, are found without reading the
-- documents of all. Tokens of logins, which carry a user and were made by no token, do not count (SPEC 12).
-- What is compared is text: a hand may have written anything into a document.
CREATE INDEX accounts_limit ON aclgate.accounts ((replace(doc::text, '\u0000', '\u0001')::json->>'limit_id'), id);
CREATE INDEX tokens_counted ON aclgate.tokens (cid) WHERE coalesce(replace(doc::text, '\u0000', '\u0001')::json->>'user_id', '0') = '0'
  OR coalesce(replace(doc::text, '\u0000', '\u0001')::json->>'created_by', '0') <> '0';
UPDATE aclgate.head SET version = 3;
