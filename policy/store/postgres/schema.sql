-- The schema of the PostgreSQL store, version 1 (SPEC 15.3), as aclgate_owner. A row of a table of
-- records is the JSON that a policy file takes; what stands beside it is made from it, for keys
-- alone; to find a field, PostgreSQL makes text of all, and has none for \u0000. Triggers write the revision: what is changed by hand revokes as the program does.
CREATE TABLE aclgate.head (one boolean PRIMARY KEY DEFAULT true CHECK (one), rev bigint NOT NULL DEFAULT 0,
  floor bigint NOT NULL DEFAULT 0, version int NOT NULL) WITH (fillfactor = 10);
-- ids: empty, too many to name, everything of the kind is read anew. before, after: up to 100 rows.
CREATE TABLE aclgate.changes (rev bigint PRIMARY KEY, mark uuid NOT NULL DEFAULT gen_random_uuid(), kind smallint NOT NULL,
  ids bigint[] NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp(), actor text NOT NULL, before json, after json);
CREATE INDEX changes_ids ON aclgate.changes USING gin (ids);
-- No id is given twice.
CREATE TABLE aclgate.ids (kind smallint PRIMARY KEY, next bigint NOT NULL);
CREATE TABLE aclgate.deleted (kind smallint, id bigint, doc json NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (kind, id));
CREATE INDEX deleted_at ON aclgate.deleted (at);

CREATE TABLE aclgate.accounts (id bigint PRIMARY KEY CHECK (id > 0), doc json NOT NULL CHECK ((replace(doc::text, '\u0000', '\u0001')::json->>'id')::bigint = id),
  parent bigint GENERATED ALWAYS AS ((replace(doc::text, '\u0000', '\u0001')::json->>'parent')::bigint) STORED REFERENCES aclgate.accounts DEFERRABLE INITIALLY DEFERRED);
CREATE INDEX accounts_of ON aclgate.accounts (parent, id);
CREATE TABLE aclgate.tokens (id bigint PRIMARY KEY CHECK (id > 0), doc json NOT NULL CHECK ((replace(doc::text, '\u0000', '\u0001')::json->>'id')::bigint = id),
  cid bigint NOT NULL GENERATED ALWAYS AS ((replace(doc::text, '\u0000', '\u0001')::json->>'cid')::bigint) STORED,
  key_sha256 text NOT NULL GENERATED ALWAYS AS (replace(doc::text, '\u0000', '\u0001')::json->>'key_sha256') STORED UNIQUE CHECK (key_sha256 ~ '^[0-9a-f]{64}$'));
CREATE INDEX tokens_of ON aclgate.tokens (cid, id);
CREATE TABLE aclgate.grants (id bigint PRIMARY KEY CHECK (id > 0), doc json NOT NULL CHECK ((replace(doc::text, '\u0000', '\u0001')::json->>'id')::bigint = id),
  cid bigint NOT NULL GENERATED ALWAYS AS ((replace(doc::text, '\u0000', '\u0001')::json->>'cid')::bigint) STORED);
CREATE INDEX grants_of ON aclgate.grants (cid, id);
CREATE TABLE aclgate.limits (id bigint PRIMARY KEY CHECK (id > 0), doc json NOT NULL CHECK ((replace(doc::text, '\u0000', '\u0001')::json->>'id')::bigint = id),
  cid bigint NOT NULL GENERATED ALWAYS AS ((replace(doc::text, '\u0000', '\u0001')::json->>'cid')::bigint) STORED);
CREATE INDEX limits_of ON aclgate.limits (cid, id);
CREATE TABLE aclgate.realms (id bigint PRIMARY KEY CHECK (id > 0), doc json NOT NULL CHECK ((replace(doc::text, '\u0000', '\u0001')::json->>'id')::bigint = id),
  cid bigint NOT NULL GENERATED ALWAYS AS ((replace(doc::text, '\u0000', '\u0001')::json->>'cid')::bigint) STORED,
  public_id text NOT NULL GENERATED ALWAYS AS (replace(doc::text, '\u0000', '\u0001')::json->>'public_id') STORED UNIQUE);
CREATE INDEX realms_of ON aclgate.realms (cid, id);
CREATE TABLE aclgate.roles (id bigint PRIMARY KEY CHECK (id > 0), doc json NOT NULL CHECK ((replace(doc::text, '\u0000', '\u0001')::json->>'id')::bigint = id),
  realm bigint GENERATED ALWAYS AS ((replace(doc::text, '\u0000', '\u0001')::json->>'realm_id')::bigint) STORED REFERENCES aclgate.realms DEFERRABLE INITIALLY DEFERRED);
CREATE INDEX roles_of ON aclgate.roles (realm, id);
CREATE TABLE aclgate.users (id bigint PRIMARY KEY CHECK (id > 0), doc json NOT NULL CHECK ((replace(doc::text, '\u0000', '\u0001')::json->>'id')::bigint = id),
  cid bigint NOT NULL GENERATED ALWAYS AS ((replace(doc::text, '\u0000', '\u0001')::json->>'cid')::bigint) STORED,
  realm bigint NOT NULL GENERATED ALWAYS AS ((replace(doc::text, '\u0000', '\u0001')::json->>'realm_id')::bigint) STORED REFERENCES aclgate.realms DEFERRABLE INITIALLY DEFERRED,
  name text NOT NULL GENERATED ALWAYS AS (lower(replace(doc::text, '\u0000', '\u0001')::json->>'name')) STORED, UNIQUE (realm, name));
CREATE INDEX users_of ON aclgate.users (cid, id);
-- Whose items are: kind 8, named in changes by n. Whom grants are for: kind 9, named by the grant.
CREATE TABLE aclgate.items (n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, collection text NOT NULL, id bigint NOT NULL CHECK (id > 0),
  cid bigint NOT NULL, UNIQUE (collection, id));
CREATE INDEX items_of ON aclgate.items (cid, n);
CREATE TABLE aclgate.grant_links (grant_id bigint REFERENCES aclgate.grants ON DELETE CASCADE, cid bigint, PRIMARY KEY (grant_id, cid));
CREATE INDEX grant_links_of ON aclgate.grant_links (cid, grant_id);

-- No revision, no history: sealed keys of tokens, verifiers of passwords, and what gateways tell.
CREATE TABLE aclgate.sealed (token_id bigint PRIMARY KEY REFERENCES aclgate.tokens ON DELETE CASCADE, box bytea NOT NULL);
CREATE TABLE aclgate.secrets (user_id bigint PRIMARY KEY REFERENCES aclgate.users ON DELETE CASCADE, verifier text NOT NULL);
CREATE TABLE aclgate.replicas (id text PRIMARY KEY, applied bigint NOT NULL, beat bigint NOT NULL, version text NOT NULL,
  seen timestamptz NOT NULL) WITH (fillfactor = 10);
CREATE TABLE aclgate.uses (token_id bigint PRIMARY KEY, used bigint NOT NULL, said timestamptz NOT NULL);
CREATE INDEX uses_said ON aclgate.uses (said);

-- A change takes its number from head, which stays locked until the commit: numbers have no gaps,
-- and become visible in their order.
CREATE FUNCTION aclgate.note_change(kind smallint, named bigint[], before json, after json) RETURNS void
LANGUAGE sql SET search_path = aclgate, pg_temp AS $$
  WITH h AS (UPDATE head SET rev = rev + 1 RETURNING rev)
  INSERT INTO changes (rev, kind, ids, actor, before, after)
    SELECT h.rev, $1, coalesce($2, '{}'), coalesce(nullif(current_setting('aclgate.actor', true), ''), 'db:' || session_user), $3, $4 FROM h;
$$;

-- Of every table of documents. A lone row stands in the history as it is, several as a list.
CREATE FUNCTION aclgate.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = aclgate, pg_temp AS $$
DECLARE
  k smallint := TG_ARGV[0]::smallint;
  n bigint := 0; named bigint[]; b json; a json;
BEGIN
  IF TG_OP = 'INSERT' THEN
    SELECT count(*) INTO n FROM new_rows;
    IF n = 0 THEN RETURN NULL; END IF;
    INSERT INTO ids SELECT k, least(max(id), 9223372036854775806) + 1 FROM new_rows
      ON CONFLICT (kind) DO UPDATE SET next = greatest(ids.next, excluded.next);
    DELETE FROM deleted d USING new_rows r WHERE d.kind = k AND d.id = r.id;
    IF n <= 100000 THEN SELECT array_agg(id ORDER BY id) INTO named FROM new_rows; END IF;
  ELSIF TG_OP = 'UPDATE' THEN
    SELECT count(*) INTO n FROM old_rows;
    IF n = 0 THEN RETURN NULL; END IF;
    IF n <= 100000 THEN
      SELECT array_agg(id ORDER BY id) INTO named FROM (SELECT id FROM old_rows UNION SELECT id FROM new_rows) u;
    END IF;
  ELSIF TG_OP = 'DELETE' THEN
    SELECT count(*) INTO n FROM old_rows;
    IF n = 0 THEN RETURN NULL; END IF;
    IF k = 2 THEN
      DELETE FROM uses u USING old_rows r WHERE u.token_id = r.id;
    ELSE
      INSERT INTO deleted (kind, id, doc) SELECT k, id, doc FROM old_rows
        ON CONFLICT (kind, id) DO UPDATE SET doc = excluded.doc, at = excluded.at;
    END IF;
    IF n <= 100000 THEN SELECT array_agg(id ORDER BY id) INTO named FROM old_rows; END IF;
  END IF;
  IF TG_OP IN ('UPDATE', 'DELETE') AND n <= 100 THEN
    IF n = 1 THEN SELECT doc INTO b FROM old_rows; ELSE SELECT json_agg(doc ORDER BY id) INTO b FROM old_rows; END IF;
  END IF;
  IF TG_OP IN ('INSERT', 'UPDATE') AND n <= 100 THEN
    IF n = 1 THEN SELECT doc INTO a FROM new_rows; ELSE SELECT json_agg(doc ORDER BY id) INTO a FROM new_rows; END IF;
  END IF;
  PERFORM note_change(k, named, b, a);
  RETURN NULL;
END $$;

CREATE FUNCTION aclgate.note_items() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = aclgate, pg_temp AS $$
DECLARE c bigint := 0; named bigint[]; b json; a json;
BEGIN
  IF TG_OP IN ('UPDATE', 'DELETE') THEN
    SELECT count(*) INTO c FROM old_rows;
    IF c = 0 THEN RETURN NULL; END IF;
    IF c <= 100000 THEN SELECT array_agg(n ORDER BY n) INTO named FROM old_rows; END IF;
    IF c <= 100 THEN SELECT json_agg(json_build_object('collection', collection, 'id', id, 'cid', cid) ORDER BY n) INTO b FROM old_rows; END IF;
  END IF;
  IF TG_OP IN ('INSERT', 'UPDATE') THEN
    SELECT count(*) INTO c FROM new_rows;
    IF c = 0 THEN RETURN NULL; END IF;
    IF c <= 100000 THEN
      SELECT array_agg(DISTINCT i) INTO named FROM (SELECT unnest(named) AS i UNION SELECT n FROM new_rows) u;
    END IF;
    IF c <= 100 THEN SELECT json_agg(json_build_object('collection', collection, 'id', id, 'cid', cid) ORDER BY n) INTO a FROM new_rows; END IF;
  END IF;
  PERFORM note_change(8::smallint, named, CASE WHEN c = 1 THEN b->0 ELSE b END, CASE WHEN c = 1 THEN a->0 ELSE a END);
  RETURN NULL;
END $$;

CREATE FUNCTION aclgate.note_links() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = aclgate, pg_temp AS $$
DECLARE c bigint := 0; named bigint[]; b json; a json;
BEGIN
  IF TG_OP IN ('UPDATE', 'DELETE') THEN
    SELECT count(*) INTO c FROM old_rows;
    IF c = 0 THEN RETURN NULL; END IF;
    IF c <= 100000 THEN SELECT array_agg(DISTINCT grant_id) INTO named FROM old_rows; END IF;
    IF c <= 100 THEN SELECT json_agg(json_build_object('grant_id', grant_id, 'cid', cid) ORDER BY grant_id, cid) INTO b FROM old_rows; END IF;
  END IF;
  IF TG_OP IN ('INSERT', 'UPDATE') THEN
    SELECT count(*) INTO c FROM new_rows;
    IF c = 0 THEN RETURN NULL; END IF;
    IF c <= 100000 THEN
      SELECT array_agg(DISTINCT i) INTO named FROM (SELECT unnest(named) AS i UNION SELECT grant_id FROM new_rows) u;
    END IF;
    IF c <= 100 THEN SELECT json_agg(json_build_object('grant_id', grant_id, 'cid', cid) ORDER BY grant_id, cid) INTO a FROM new_rows; END IF;
  END IF;
  PERFORM note_change(9::smallint, named, CASE WHEN c = 1 THEN b->0 ELSE b END, CASE WHEN c = 1 THEN a->0 ELSE a END);
  RETURN NULL;
END $$;

DO $$
DECLARE t text; f text; names text[] := ARRAY['accounts', 'tokens', 'roles', 'grants', 'limits', 'realms', 'users', 'items', 'grant_links'];
BEGIN
  FOR k IN 1 .. 9 LOOP
    t := names[k];
    f := CASE k WHEN 8 THEN 'note_items()' WHEN 9 THEN 'note_links()' ELSE format('note(%s)', k) END;
    EXECUTE format('CREATE TRIGGER note_i AFTER INSERT ON aclgate.%I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION aclgate.%s', t, f);
    EXECUTE format('CREATE TRIGGER note_u AFTER UPDATE ON aclgate.%I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION aclgate.%s', t, f);
    EXECUTE format('CREATE TRIGGER note_d AFTER DELETE ON aclgate.%I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION aclgate.%s', t, f);
    EXECUTE format('CREATE TRIGGER note_t AFTER TRUNCATE ON aclgate.%I FOR EACH STATEMENT EXECUTE FUNCTION aclgate.%s', t, f);
    EXECUTE format('ALTER TABLE aclgate.%I ENABLE ALWAYS TRIGGER note_i, ENABLE ALWAYS TRIGGER note_u, ENABLE ALWAYS TRIGGER note_d, ENABLE ALWAYS TRIGGER note_t', t);
  END LOOP;
END $$;

-- The first statement of each transaction of the program: one writer at a time, in whose name, and
-- on the disk before it is answered.
CREATE FUNCTION aclgate.begin_change(actor text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = aclgate, pg_temp AS $$
BEGIN
  PERFORM 1 FROM head FOR UPDATE;
  PERFORM set_config('aclgate.actor', actor, true);
  IF current_setting('synchronous_commit') = 'off' THEN PERFORM set_config('synchronous_commit', 'on', true); END IF;
END $$;

-- The change of the floor itself stays, so that its mark can be compared.
CREATE FUNCTION aclgate.prune(history_from timestamptz, deleted_from timestamptz) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = aclgate, pg_temp AS $$
DECLARE kept bigint; n bigint;
BEGIN
  PERFORM 1 FROM head FOR UPDATE;
  SELECT coalesce((SELECT c.rev FROM changes c WHERE c.at >= history_from ORDER BY c.rev LIMIT 1), h.rev) INTO kept FROM head h;
  UPDATE head SET floor = greatest(floor, kept);
  DELETE FROM changes WHERE rev < kept;
  GET DIAGNOSTICS n = ROW_COUNT;
  DELETE FROM deleted WHERE at < deleted_from;
  RETURN n;
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA aclgate FROM PUBLIC;
GRANT USAGE ON SCHEMA aclgate TO aclgate_admin, aclgate_replica;
GRANT SELECT ON ALL TABLES IN SCHEMA aclgate TO aclgate_admin;
GRANT INSERT, UPDATE, DELETE ON aclgate.accounts, aclgate.tokens, aclgate.roles, aclgate.grants, aclgate.limits, aclgate.realms, aclgate.users,
  aclgate.items, aclgate.grant_links, aclgate.sealed, aclgate.secrets, aclgate.deleted, aclgate.ids TO aclgate_admin;
GRANT EXECUTE ON FUNCTION aclgate.begin_change(text), aclgate.prune(timestamptz, timestamptz) TO aclgate_admin;
GRANT SELECT ON aclgate.head, aclgate.changes, aclgate.deleted, aclgate.accounts, aclgate.tokens, aclgate.roles, aclgate.grants, aclgate.limits,
  aclgate.realms, aclgate.users, aclgate.items, aclgate.grant_links, aclgate.replicas, aclgate.uses TO aclgate_replica;
GRANT INSERT, UPDATE ON aclgate.replicas, aclgate.uses TO aclgate_replica;
GRANT DELETE ON aclgate.replicas TO aclgate_replica;

INSERT INTO aclgate.head (version) VALUES (1);
