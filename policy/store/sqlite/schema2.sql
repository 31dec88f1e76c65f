-- Version 2 of the schema: owners of items, accounts that grants are for, sealed keys, verifiers of
-- passwords, and what was deleted. The last three make no revision and stand in no history.

-- n: what changes name. It is never given twice.
CREATE TABLE items (n INTEGER PRIMARY KEY AUTOINCREMENT, collection TEXT NOT NULL CHECK (collection <> ''), id INTEGER NOT NULL CHECK (id > 0),
  cid INTEGER NOT NULL CHECK (cid > 0), UNIQUE (collection, id)) STRICT;
CREATE INDEX items_of ON items (cid, n);
CREATE TRIGGER items_i AFTER INSERT ON items BEGIN
  UPDATE head SET rev = rev + 1;
  INSERT INTO changes (rev, kind, id, actor, after) SELECT rev, 8, NEW.n, coalesce(nullif(actor, ''), 'db'),
    json_object('collection', NEW.collection, 'id', NEW.id, 'cid', NEW.cid) FROM head; END;
CREATE TRIGGER items_u AFTER UPDATE ON items BEGIN
  SELECT RAISE(ABORT, 'an id never changes') WHERE OLD.n <> NEW.n;
  UPDATE head SET rev = rev + 1;
  INSERT INTO changes (rev, kind, id, actor, before, after) SELECT rev, 8, NEW.n, coalesce(nullif(actor, ''), 'db'),
    json_object('collection', OLD.collection, 'id', OLD.id, 'cid', OLD.cid), json_object('collection', NEW.collection, 'id', NEW.id, 'cid', NEW.cid) FROM head; END;
CREATE TRIGGER items_d AFTER DELETE ON items BEGIN
  UPDATE head SET rev = rev + 1;
  INSERT INTO changes (rev, kind, id, actor, before) SELECT rev, 8, OLD.n, coalesce(nullif(actor, ''), 'db'),
    json_object('collection', OLD.collection, 'id', OLD.id, 'cid', OLD.cid) FROM head; END;

-- Changes name the grant.
CREATE TABLE grant_links (grant_id INTEGER NOT NULL REFERENCES grants ON DELETE CASCADE, cid INTEGER NOT NULL CHECK (cid > 0),
  PRIMARY KEY (grant_id, cid)) STRICT, WITHOUT ROWID;
CREATE INDEX grant_links_of ON grant_links (cid);
CREATE TRIGGER grant_links_i AFTER INSERT ON grant_links BEGIN
  UPDATE head SET rev = rev + 1;
  INSERT INTO changes (rev, kind, id, actor, after) SELECT rev, 9, NEW.grant_id, coalesce(nullif(actor, ''), 'db'),
    json_object('grant_id', NEW.grant_id, 'cid', NEW.cid) FROM head; END;
CREATE TRIGGER grant_links_u AFTER UPDATE ON grant_links BEGIN
  SELECT RAISE(ABORT, 'an id never changes') WHERE OLD.grant_id <> NEW.grant_id;
  UPDATE head SET rev = rev + 1;
  INSERT INTO changes (rev, kind, id, actor, before, after) SELECT rev, 9, NEW.grant_id, coalesce(nullif(actor, ''), 'db'),
    json_object('grant_id', OLD.grant_id, 'cid', OLD.cid), json_object('grant_id', NEW.grant_id, 'cid', NEW.cid) FROM head; END;
CREATE TRIGGER grant_links_d AFTER DELETE ON grant_links BEGIN
  UPDATE head SET rev = rev + 1;
  INSERT INTO changes (rev, kind, id, actor, before) SELECT rev, 9, OLD.grant_id, coalesce(nullif(actor, ''), 'db'),
    json_object('grant_id', OLD.grant_id, 'cid', OLD.cid) FROM head; END;

CREATE TABLE sealed (token_id INTEGER PRIMARY KEY REFERENCES tokens ON DELETE CASCADE, box BLOB NOT NULL) STRICT;
CREATE TABLE secrets (user_id INTEGER PRIMARY KEY REFERENCES users ON DELETE CASCADE, verifier TEXT NOT NULL) STRICT;
CREATE TABLE deleted (kind INTEGER NOT NULL, id INTEGER NOT NULL, doc TEXT NOT NULL,
  at INTEGER NOT NULL DEFAULT (CAST(strftime('%s', 'now') AS INTEGER)), PRIMARY KEY (kind, id)) STRICT, WITHOUT ROWID;

-- What belongs to a row alone goes with it, by a hand without foreign keys too.
CREATE TRIGGER tokens_gone AFTER DELETE ON tokens BEGIN DELETE FROM sealed WHERE token_id = OLD.id; END;
CREATE TRIGGER grants_gone AFTER DELETE ON grants BEGIN DELETE FROM grant_links WHERE grant_id = OLD.id; END;
CREATE TRIGGER users_gone AFTER DELETE ON users BEGIN DELETE FROM secrets WHERE user_id = OLD.id; END;

-- Documents are kept but for those of tokens, until a row with their id is there again.
CREATE TRIGGER accounts_keep AFTER DELETE ON accounts BEGIN INSERT OR REPLACE INTO deleted (kind, id, doc) VALUES (1, OLD.id, OLD.doc); END;
CREATE TRIGGER accounts_back AFTER INSERT ON accounts BEGIN DELETE FROM deleted WHERE kind = 1 AND id = NEW.id; END;
CREATE TRIGGER roles_keep AFTER DELETE ON roles BEGIN INSERT OR REPLACE INTO deleted (kind, id, doc) VALUES (3, OLD.id, OLD.doc); END;
CREATE TRIGGER roles_back AFTER INSERT ON roles BEGIN DELETE FROM deleted WHERE kind = 3 AND id = NEW.id; END;
CREATE TRIGGER grants_keep AFTER DELETE ON grants BEGIN INSERT OR REPLACE INTO deleted (kind, id, doc) VALUES (4, OLD.id, OLD.doc); END;
CREATE TRIGGER grants_back AFTER INSERT ON grants BEGIN DELETE FROM deleted WHERE kind = 4 AND id = NEW.id; END;
CREATE TRIGGER limits_keep AFTER DELETE ON limits BEGIN INSERT OR REPLACE INTO deleted (kind, id, doc) VALUES (5, OLD.id, OLD.doc); END;
CREATE TRIGGER limits_back AFTER INSERT ON limits BEGIN DELETE FROM deleted WHERE kind = 5 AND id = NEW.id; END;
CREATE TRIGGER realms_keep AFTER DELETE ON realms BEGIN INSERT OR REPLACE INTO deleted (kind, id, doc) VALUES (6, OLD.id, OLD.doc); END;
CREATE TRIGGER realms_back AFTER INSERT ON realms BEGIN DELETE FROM deleted WHERE kind = 6 AND id = NEW.id; END;
CREATE TRIGGER users_keep AFTER DELETE ON users BEGIN INSERT OR REPLACE INTO deleted (kind, id, doc) VALUES (7, OLD.id, OLD.doc); END;
CREATE TRIGGER users_back AFTER INSERT ON users BEGIN DELETE FROM deleted WHERE kind = 7 AND id = NEW.id; END;

UPDATE head SET version = 2;
