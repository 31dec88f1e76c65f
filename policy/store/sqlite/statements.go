package sqlite

import "aclgate/policy/store"

// statements are those of one table of records.
type statements struct{ get, each, of, holds, put, remove string }

// tables has the statements of every table. They are constants: none is put together, so that no
// value can become a part of one.
var tables = map[store.Table]statements{
	store.Accounts: {
		get:    `SELECT doc FROM accounts WHERE id = ?`,
		each:   `SELECT id, doc FROM accounts ORDER BY id`,
		of:     `SELECT id, doc FROM accounts WHERE parent = ? ORDER BY id`,
		holds:  `SELECT EXISTS (SELECT 1 FROM accounts WHERE parent = ?)`,
		put:    `INSERT INTO accounts (id, doc) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET doc = excluded.doc`,
		remove: `DELETE FROM accounts WHERE id = ?`,
	},
	store.Tokens: {
		get:    `SELECT doc FROM tokens WHERE id = ?`,
		each:   `SELECT id, doc FROM tokens ORDER BY id`,
		of:     `SELECT id, doc FROM tokens WHERE cid = ? ORDER BY id`,
		holds:  `SELECT EXISTS (SELECT 1 FROM tokens WHERE cid = ?)`,
		put:    `INSERT INTO tokens (id, doc) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET doc = excluded.doc`,
		remove: `DELETE FROM tokens WHERE id = ?`,
	},
	store.Roles: {
		get:    `SELECT doc FROM roles WHERE id = ?`,
		each:   `SELECT id, doc FROM roles ORDER BY id`,
		of:     `SELECT id, doc FROM roles WHERE realm = ? ORDER BY id`,
		holds:  `SELECT EXISTS (SELECT 1 FROM roles WHERE realm = ?)`,
		put:    `INSERT INTO roles (id, doc) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET doc = excluded.doc`,
		remove: `DELETE FROM roles WHERE id = ?`,
	},
	store.Grants: {
		get:    `SELECT doc FROM grants WHERE id = ?`,
		each:   `SELECT id, doc FROM grants ORDER BY id`,
		of:     `SELECT id, doc FROM grants WHERE cid = ? ORDER BY id`,
		holds:  `SELECT EXISTS (SELECT 1 FROM grants WHERE cid = ?)`,
		put:    `INSERT INTO grants (id, doc) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET doc = excluded.doc`,
		remove: `DELETE FROM grants WHERE id = ?`,
	},
	store.Limits: {
		get:    `SELECT doc FROM limits WHERE id = ?`,
		each:   `SELECT id, doc FROM limits ORDER BY id`,
		of:     `SELECT id, doc FROM limits WHERE cid = ? ORDER BY id`,
		holds:  `SELECT EXISTS (SELECT 1 FROM limits WHERE cid = ?)`,
		put:    `INSERT INTO limits (id, doc) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET doc = excluded.doc`,
		remove: `DELETE FROM limits WHERE id = ?`,
	},
	store.Realms: {
		get:    `SELECT doc FROM realms WHERE id = ?`,
		each:   `SELECT id, doc FROM realms ORDER BY id`,
		of:     `SELECT id, doc FROM realms WHERE cid = ? ORDER BY id`,
		holds:  `SELECT EXISTS (SELECT 1 FROM realms WHERE cid = ?)`,
		put:    `INSERT INTO realms (id, doc) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET doc = excluded.doc`,
		remove: `DELETE FROM realms WHERE id = ?`,
	},
	store.Users: {
		get:    `SELECT doc FROM users WHERE id = ?`,
		each:   `SELECT id, doc FROM users ORDER BY id`,
		of:     `SELECT id, doc FROM users WHERE cid = ? ORDER BY id`,
		holds:  `SELECT EXISTS (SELECT 1 FROM users WHERE cid = ?)`,
		put:    `INSERT INTO users (id, doc) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET doc = excluded.doc`,
		remove: `DELETE FROM users WHERE id = ?`,
	},
	store.Items: {
		get:   `SELECT json_object('collection', collection, 'id', id, 'cid', cid) FROM items WHERE n = ?`,
		each:  `SELECT n, json_object('collection', collection, 'id', id, 'cid', cid) FROM items ORDER BY n`,
		of:    `SELECT n, json_object('collection', collection, 'id', id, 'cid', cid) FROM items WHERE cid = ? ORDER BY n`,
		holds: `SELECT EXISTS (SELECT 1 FROM items WHERE cid = ?)`,
	},
	store.GrantLinks: {
		get:   `SELECT json_group_array(cid) FROM (SELECT grant_id, cid FROM grant_links WHERE grant_id = ? ORDER BY cid) GROUP BY grant_id`,
		each:  `SELECT grant_id, json_group_array(cid) FROM (SELECT grant_id, cid FROM grant_links ORDER BY grant_id, cid) GROUP BY grant_id ORDER BY grant_id`,
		holds: `SELECT EXISTS (SELECT 1 FROM grant_links WHERE cid = ?)`,
	},
}

// The statements of all tables together.
const (
	selectHead = `SELECT rev, floor, version FROM head`
	selectMark = `SELECT mark FROM changes WHERE rev = ?`
	selectLast = `SELECT mark FROM changes WHERE rev = max(coalesce((SELECT max(rev) FROM changes WHERE kind = ?1 AND id = ?2), 0),
  coalesce((SELECT max(rev) FROM changes WHERE kind = ?1 AND id = 0), 0))`
	selectSince  = `SELECT rev, mark, kind, id, at, actor FROM changes WHERE rev > ? ORDER BY rev LIMIT ?`
	selectChange = `SELECT rev, mark, kind, id, at, actor, before, after FROM changes WHERE rev > ?1 AND (?2 = 0 OR kind = ?2) AND (?3 = 0 OR id IN (?3, 0)) ORDER BY rev LIMIT ?4`
	selectNamed  = `SELECT id, doc FROM tokens WHERE id IN (SELECT value FROM json_each(?))`
	selectBearer = `SELECT id FROM accounts WHERE json_extract(doc, '$.limit_id') = ? ORDER BY id LIMIT 1`
	// What is compared with 1 is word for word what the index has. A partial index would have the documents read.
	countTokens = `SELECT count(*) FROM tokens WHERE cid IN (SELECT value FROM json_each(?))
  AND (coalesce(json_extract(doc, '$.user_id'), 0) = 0 OR coalesce(json_extract(doc, '$.created_by'), 0) <> 0) = 1`
	selectOwner  = `SELECT cid FROM items WHERE collection = ? AND id = ?`
	selectSealed = `SELECT box FROM sealed WHERE token_id = ?`
	selectSecret = `SELECT verifier FROM secrets WHERE user_id = ?`
	selectGone   = `SELECT id, doc, at FROM deleted WHERE kind = ? AND at >= ? ORDER BY id`
	selectUses   = `SELECT token, used FROM uses`
	selectKept   = `SELECT coalesce((SELECT min(rev) FROM changes WHERE at >= ?), rev) FROM head`

	dataVersion = `PRAGMA data_version`

	setActor = `UPDATE head SET actor = ?`
	newID    = `INSERT INTO ids VALUES (?, 2) ON CONFLICT (kind) DO UPDATE SET next = next + 1 RETURNING next - 1`
	// The first account is made by whoever makes the database, with the id that the settings name.
	skipNext = `INSERT INTO ids SELECT value, 1 + ?1 FROM json_each('[1,2,3,4,5,6,7]') WHERE value <> 1 OR EXISTS (SELECT 1 FROM ids WHERE kind = 1)
  ON CONFLICT (kind) DO UPDATE SET next = min(next, 9223372036854775806 - ?1) + ?1`
	putOwner  = `INSERT INTO items (collection, id, cid) VALUES (?, ?, ?) ON CONFLICT (collection, id) DO UPDATE SET cid = excluded.cid WHERE cid <> excluded.cid`
	dropOwner = `DELETE FROM items WHERE collection = ? AND id = ?`
	link      = `INSERT INTO grant_links VALUES (?, ?) ON CONFLICT DO NOTHING`
	unlink    = `DELETE FROM grant_links WHERE grant_id = ? AND cid = ?`
	seal      = `INSERT INTO sealed VALUES (?, ?) ON CONFLICT (token_id) DO UPDATE SET box = excluded.box`
	unseal    = `DELETE FROM sealed WHERE token_id = ?`
	setSecret = `INSERT INTO secrets VALUES (?, ?) ON CONFLICT (user_id) DO UPDATE SET verifier = excluded.verifier`
	noSecret  = `DELETE FROM secrets WHERE user_id = ?`
	forget    = `DELETE FROM deleted WHERE at < ?`
	raiseUse  = `INSERT INTO uses SELECT ?1, ?2 WHERE EXISTS (SELECT 1 FROM tokens WHERE id = ?1) ON CONFLICT (token) DO UPDATE SET used = max(used, excluded.used)`
	setFloor  = `UPDATE head SET floor = max(floor, ?)`
	pruneTo   = `DELETE FROM changes WHERE rev < ?`
	vacuumTo  = `VACUUM INTO ?`
	objects   = `SELECT count(*), coalesce(sum(name = 'head'), 0), coalesce(sum(name = 'changes'), 0) FROM sqlite_schema WHERE type = 'table'`
	integrity = `PRAGMA integrity_check(20)`
)
