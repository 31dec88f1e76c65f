-- The schema of the SQLite store, version 1 (SPEC 15.3). Only functions of SQLite 3.40 are used, so
-- that Debian's sqlite3 can read it. A row of a table of records is the JSON that a policy file
-- takes; what stands beside it is made from it, for keys alone. Triggers write the revision: what is
-- changed by hand revokes as the program does.

-- actor: set first in each transaction of the program, emptied last.
CREATE TABLE head (one INTEGER PRIMARY KEY CHECK (one = 1), rev INTEGER NOT NULL DEFAULT 0, floor INTEGER NOT NULL DEFAULT 0,
  version INTEGER NOT NULL, actor TEXT NOT NULL DEFAULT '') STRICT;
CREATE TABLE changes (rev INTEGER PRIMARY KEY, mark INTEGER NOT NULL DEFAULT (random()), kind INTEGER NOT NULL, id INTEGER NOT NULL,
  at INTEGER NOT NULL DEFAULT (CAST(strftime('%s', 'now') AS INTEGER)), actor TEXT NOT NULL, before TEXT, after TEXT) STRICT;
CREATE INDEX changes_of ON changes (kind, id, rev);
-- No id is given twice.
CREATE TABLE ids (kind INTEGER PRIMARY KEY, next INTEGER NOT NULL) STRICT;
-- Last uses make no revision.
CREATE TABLE uses (token INTEGER PRIMARY KEY, used INTEGER NOT NULL) STRICT;

CREATE TABLE accounts (id INTEGER PRIMARY KEY CHECK (id > 0), doc TEXT NOT NULL CHECK (json_extract(doc, '$.id') = id),
  parent INTEGER GENERATED ALWAYS AS (json_extract(doc, '$.parent')) STORED REFERENCES accounts DEFERRABLE INITIALLY DEFERRED) STRICT;
CREATE INDEX accounts_of ON accounts (parent, id);
CREATE TRIGGER accounts_i AFTER INSERT ON accounts BEGIN
  UPDATE head SET rev = rev + 1;
  INSERT INTO changes (rev, kind, id, actor, after) SELECT rev, 1, NEW.id, coalesce(nullif(actor, ''), 'db'), NEW.doc FROM head;
  INSERT INTO ids VALUES (1, min(NEW.id, 9223372036854775806) + 1) ON CONFLICT (kind) DO UPDATE SET next = max(next, excluded.next); END;
CREATE TRIGGER accounts_u AFTER UPDATE ON accounts BEGIN
  SELECT RAISE(ABORT, 'an id never changes') WHERE OLD.id <> NEW.id;
  UPDATE head SET rev = rev + 1;
  INSERT INTO changes (rev, kind, id, actor, before, after) SELECT rev, 1, NEW.id, coalesce(nullif(actor, ''), 'db'), OLD.doc, NEW.doc FROM head; END;
CREATE TRIGGER accounts_d AFTER DELETE ON accounts BEGIN
  UPDATE head SET rev = rev + 1;
  INSERT INTO changes (rev, kind, id, actor, before) SELECT rev, 1, OLD.id, coalesce(nullif(actor, ''), 'db'), OLD.doc FROM head; END;

CREATE TABLE tokens (id INTEGER PRIMARY KEY CHECK (id > 0), doc TEXT NOT NULL CHECK (json_extract(doc, '$.id') = id),
  cid INTEGER NOT NULL GENERATED ALWAYS AS (json_extract(doc, '$.cid')) STORED,
  key_sha256 TEXT NOT NULL GENERATED ALWAYS AS (json_extract(doc, '$.key_sha256')) STORED UNIQUE
    CHECK (length(key_sha256) = 64 AND key_sha256 NOT GLOB '*[^0-9a-f]*')) STRICT;
CREATE INDEX tokens_of ON tokens (cid, id);
CREATE TRIGGER tokens_i AFTER INSERT ON tokens BEGIN
  UPDATE head SET rev = rev + 1;
  INSERT INTO changes (rev, kind, id, actor, after) SELECT rev, 2, NEW.id, coalesce(nullif(actor, ''), 'db'), NEW.doc FROM head;
  INSERT INTO ids VALUES (2, min(NEW.id, 9223372036854775806) + 1) ON CONFLICT (kind) DO UPDATE SET next = max(next, excluded.next); END;
CREATE TRIGGER tokens_u AFTER UPDATE ON tokens BEGIN
  SELECT RAISE(ABORT, 'an id never changes') WHERE OLD.id <> NEW.id;
  UPDATE head SET rev = rev + 1;
  INSERT INTO changes (rev, kind, id, actor, before, after) SELECT rev, 2, NEW.id, coalesce(nullif(actor, ''), 'db'), OLD.doc, NEW.doc FROM head; END;
CREATE TRIGGER tokens_d AFTER DELETE ON tokens BEGIN
  UPDATE head SET rev = rev + 1;
  INSERT INTO changes (rev, kind, id, actor, before) SELECT rev, 2, OLD.id, coalesce(nullif(actor, ''), 'db'), OLD.doc FROM head; DELETE FROM uses WHERE token = OLD.id; END;

CREATE TABLE roles (id INTEGER PRIMARY KEY CHECK (id > 0), doc TEXT NOT NULL CHECK (json_extract(doc, '$.id') = id),
  realm INTEGER GENERATED ALWAYS AS (json_extract(doc, '$.realm_id')) STORED REFERENCES realms DEFERRABLE INITIALLY DEFERRED) STRICT;
CREATE INDEX roles_of ON roles (realm, id);
CREATE TRIGGER roles_i AFTER INSERT ON roles BEGIN
  UPDATE head SET rev = rev + 1;
  INSERT INTO changes (rev, kind, id, actor, after) SELECT rev, 3, NEW.id, coalesce(nullif(actor, ''), 'db'), NEW.doc FROM head;
  INSERT INTO ids VALUES (3, min(NEW.id, 9223372036854775806) + 1) ON CONFLICT (kind) DO UPDATE SET next = max(next, excluded.next); END;
CREATE TRIGGER roles_u AFTER UPDATE ON roles BEGIN
  SELECT RAISE(ABORT, 'an id never changes') WHERE OLD.id <> NEW.id;
  UPDATE head SET rev = rev + 1;
  INSERT INTO changes (rev, kind, id, actor, before, after) SELECT rev, 3, NEW.id, coalesce(nullif(actor, ''), 'db'), OLD.doc, NEW.doc FROM head; END;
CREATE TRIGGER roles_d AFTER DELETE ON roles BEGIN
  UPDATE head SET rev = rev + 1;
  INSERT INTO changes (rev, kind, id, actor, before) SELECT rev, 3, OLD.id, coalesce(nullif(actor, ''), 'db'), OLD.doc FROM head; END;

CREATE TABLE grants (id INTEGER PRIMARY KEY CHECK (id > 0), doc TEXT NOT NULL CHECK (json_extract(doc, '$.id') = id),
  cid INTEGER NOT NULL GENERATED ALWAYS AS (json_extract(doc, '$.cid')) STORED) STRICT;
CREATE INDEX grants_of ON grants (cid, id);
CREATE TRIGGER grants_i AFTER INSERT ON grants BEGIN
  UPDATE head SET rev = rev + 1;
  INSERT INTO changes (rev, kind, id, actor, after) SELECT rev, 4, NEW.id, coalesce(nullif(actor, ''), 'db'), NEW.doc FROM head;
  INSERT INTO ids VALUES (4, min(NEW.id, 9223372036854775806) + 1) ON CONFLICT (kind) DO UPDATE SET next = max(next, excluded.next); END;
CREATE TRIGGER grants_u AFTER UPDATE ON grants BEGIN
  SELECT RAISE(ABORT, 'an id never changes') WHERE OLD.id <> NEW.id;
  UPDATE head SET rev = rev + 1;
  INSERT INTO changes (rev, kind, id, actor, before, after) SELECT rev, 4, NEW.id, coalesce(nullif(actor, ''), 'db'), OLD.doc, NEW.doc FROM head; END;
CREATE TRIGGER grants_d AFTER DELETE ON grants BEGIN
  UPDATE head SET rev = rev + 1;
  INSERT INTO changes (rev, kind, id, actor, before) SELECT rev, 4, OLD.id, coalesce(nullif(actor, ''), 'db'), OLD.doc FROM head; END;

CREATE TABLE limits (id INTEGER PRIMARY KEY CHECK (id > 0), doc TEXT NOT NULL CHECK (json_extract(doc, '$.id') = id),
  cid INTEGER NOT NULL GENERATED ALWAYS AS (json_extract(doc, '$.cid')) STORED) STRICT;
CREATE INDEX limits_of ON limits (cid, id);
CREATE TRIGGER limits_i AFTER INSERT ON limits BEGIN
  UPDATE head SET rev = rev + 1;
  INSERT INTO changes (rev, kind, id, actor, after) SELECT rev, 5, NEW.id, coalesce(nullif(actor, ''), 'db'), NEW.doc FROM head;
  INSERT INTO ids VALUES (5, min(NEW.id, 9223372036854775806) + 1) ON CONFLICT (kind) DO UPDATE SET next = max(next, excluded.next); END;
CREATE TRIGGER limits_u AFTER UPDATE ON limits BEGIN
  SELECT RAISE(ABORT, 'an id never changes') WHERE OLD.id <> NEW.id;
  UPDATE head SET rev = rev + 1;
  INSERT INTO changes (rev, kind, id, actor, before, after) SELECT rev, 5, NEW.id, coalesce(nullif(actor, ''), 'db'), OLD.doc, NEW.doc FROM head; END;
CREATE TRIGGER limits_d AFTER DELETE ON limits BEGIN
  UPDATE head SET rev = rev + 1;
  INSERT INTO changes (rev, kind, id, actor, before) SELECT rev, 5, OLD.id, coalesce(nullif(actor, ''), 'db'), OLD.doc FROM head; END;

CREATE TABLE realms (id INTEGER PRIMARY KEY CHECK (id > 0), doc TEXT NOT NULL CHECK (json_extract(doc, '$.id') = id),
  cid INTEGER NOT NULL GENERATED ALWAYS AS (json_extract(doc, '$.cid')) STORED,
  public_id TEXT NOT NULL GENERATED ALWAYS AS (json_extract(doc, '$.public_id')) STORED UNIQUE) STRICT;
CREATE INDEX realms_of ON realms (cid, id);
CREATE TRIGGER realms_i AFTER INSERT ON realms BEGIN
  UPDATE head SET rev = rev + 1;
  INSERT INTO changes (rev, kind, id, actor, after) SELECT rev, 6, NEW.id, coalesce(nullif(actor, ''), 'db'), NEW.doc FROM head;
  INSERT INTO ids VALUES (6, min(NEW.id, 9223372036854775806) + 1) ON CONFLICT (kind) DO UPDATE SET next = max(next, excluded.next); END;
CREATE TRIGGER realms_u AFTER UPDATE ON realms BEGIN
  SELECT RAISE(ABORT, 'an id never changes') WHERE OLD.id <> NEW.id;
  UPDATE head SET rev = rev + 1;
  INSERT INTO changes (rev, kind, id, actor, before, after) SELECT rev, 6, NEW.id, coalesce(nullif(actor, ''), 'db'), OLD.doc, NEW.doc FROM head; END;
CREATE TRIGGER realms_d AFTER DELETE ON realms BEGIN
  UPDATE head SET rev = rev + 1;
  INSERT INTO changes (rev, kind, id, actor, before) SELECT rev, 6, OLD.id, coalesce(nullif(actor, ''), 'db'), OLD.doc FROM head; END;

CREATE TABLE users (id INTEGER PRIMARY KEY CHECK (id > 0), doc TEXT NOT NULL CHECK (json_extract(doc, '$.id') = id),
  cid INTEGER NOT NULL GENERATED ALWAYS AS (json_extract(doc, '$.cid')) STORED,
  realm INTEGER NOT NULL GENERATED ALWAYS AS (json_extract(doc, '$.realm_id')) STORED REFERENCES realms DEFERRABLE INITIALLY DEFERRED,
  name TEXT NOT NULL GENERATED ALWAYS AS (lower(json_extract(doc, '$.name'))) STORED,
  UNIQUE (realm, name)) STRICT;
CREATE INDEX users_of ON users (cid, id);
CREATE TRIGGER users_i AFTER INSERT ON users BEGIN
  UPDATE head SET rev = rev + 1;
  INSERT INTO changes (rev, kind, id, actor, after) SELECT rev, 7, NEW.id, coalesce(nullif(actor, ''), 'db'), NEW.doc FROM head;
  INSERT INTO ids VALUES (7, min(NEW.id, 9223372036854775806) + 1) ON CONFLICT (kind) DO UPDATE SET next = max(next, excluded.next); END;
CREATE TRIGGER users_u AFTER UPDATE ON users BEGIN
  SELECT RAISE(ABORT, 'an id never changes') WHERE OLD.id <> NEW.id;
  UPDATE head SET rev = rev + 1;
  INSERT INTO changes (rev, kind, id, actor, before, after) SELECT rev, 7, NEW.id, coalesce(nullif(actor, ''), 'db'), OLD.doc, NEW.doc FROM head; END;
CREATE TRIGGER users_d AFTER DELETE ON users BEGIN
  UPDATE head SET rev = rev + 1;
  INSERT INTO changes (rev, kind, id, actor, before) SELECT rev, 7, OLD.id, coalesce(nullif(actor, ''), 'db'), OLD.doc FROM head; END;

INSERT INTO head (one, version) VALUES (1, 1);
