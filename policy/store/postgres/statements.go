package postgres

import "aclgate/policy/store"

// statements are those of one table of records. each and of read a piece of a table, or of what
// belongs to one account, by ascending id; all reads it whole, in no order.
type statements struct{ get, each, of, all, holds, put, remove string }

// tables has the statements of every table of documents. They are constants: none is put together,
// so that no value can become a part of one.
var tables = map[store.Table]statements{
	store.Accounts: {
		get:    `SELECT doc FROM aclgate.accounts WHERE id = $1`,
		each:   `SELECT id, doc FROM aclgate.accounts WHERE id > $1 ORDER BY id LIMIT $2`,
		of:     `SELECT id, doc FROM aclgate.accounts WHERE parent = $3 AND id > $1 ORDER BY id LIMIT $2`,
		all:    `SELECT id, doc FROM aclgate.accounts`,
		holds:  `SELECT EXISTS (SELECT FROM aclgate.accounts WHERE parent = $1)`,
		put:    `INSERT INTO aclgate.accounts (id, doc) SELECT i, d::json FROM unnest($1::bigint[], $2::text[]) u (i, d) ON CONFLICT (id) DO UPDATE SET doc = excluded.doc`,
		remove: `DELETE FROM aclgate.accounts WHERE id = $1`,
	},
	store.Tokens: {
		get:    `SELECT doc FROM aclgate.tokens WHERE id = $1`,
		each:   `SELECT id, doc FROM aclgate.tokens WHERE id > $1 ORDER BY id LIMIT $2`,
		of:     `SELECT id, doc FROM aclgate.tokens WHERE cid = $3 AND id > $1 ORDER BY id LIMIT $2`,
		all:    `SELECT id, doc FROM aclgate.tokens`,
		holds:  `SELECT EXISTS (SELECT FROM aclgate.tokens WHERE cid = $1)`,
		put:    `INSERT INTO aclgate.tokens (id, doc) SELECT i, d::json FROM unnest($1::bigint[], $2::text[]) u (i, d) ON CONFLICT (id) DO UPDATE SET doc = excluded.doc`,
		remove: `DELETE FROM aclgate.tokens WHERE id = $1`,
	},
	store.Roles: {
		get:    `SELECT doc FROM aclgate.roles WHERE id = $1`,
		each:   `SELECT id, doc FROM aclgate.roles WHERE id > $1 ORDER BY id LIMIT $2`,
		of:     `SELECT id, doc FROM aclgate.roles WHERE realm = $3 AND id > $1 ORDER BY id LIMIT $2`,
		all:    `SELECT id, doc FROM aclgate.roles`,
		holds:  `SELECT EXISTS (SELECT FROM aclgate.roles WHERE realm = $1)`,
		put:    `INSERT INTO aclgate.roles (id, doc) SELECT i, d::json FROM unnest($1::bigint[], $2::text[]) u (i, d) ON CONFLICT (id) DO UPDATE SET doc = excluded.doc`,
		remove: `DELETE FROM aclgate.roles WHERE id = $1`,
	},
	store.Grants: {
		get:    `SELECT doc FROM aclgate.grants WHERE id = $1`,
		each:   `SELECT id, doc FROM aclgate.grants WHERE id > $1 ORDER BY id LIMIT $2`,
		of:     `SELECT id, doc FROM aclgate.grants WHERE cid = $3 AND id > $1 ORDER BY id LIMIT $2`,
		all:    `SELECT id, doc FROM aclgate.grants`,
		holds:  `SELECT EXISTS (SELECT FROM aclgate.grants WHERE cid = $1)`,
		put:    `INSERT INTO aclgate.grants (id, doc) SELECT i, d::json FROM unnest($1::bigint[], $2::text[]) u (i, d) ON CONFLICT (id) DO UPDATE SET doc = excluded.doc`,
		remove: `DELETE FROM aclgate.grants WHERE id = $1`,
	},
	store.Limits: {
		get:    `SELECT doc FROM aclgate.limits WHERE id = $1`,
		each:   `SELECT id, doc FROM aclgate.limits WHERE id > $1 ORDER BY id LIMIT $2`,
		of:     `SELECT id, doc FROM aclgate.limits WHERE cid = $3 AND id > $1 ORDER BY id LIMIT $2`,
		all:    `SELECT id, doc FROM aclgate.limits`,
		holds:  `SELECT EXISTS (SELECT FROM aclgate.limits WHERE cid = $1)`,
		put:    `INSERT INTO aclgate.limits (id, doc) SELECT i, d::json FROM unnest($1::bigint[], $2::text[]) u (i, d) ON CONFLICT (id) DO UPDATE SET doc = excluded.doc`,
		remove: `DELETE FROM aclgate.limits WHERE id = $1`,
	},
	store.Realms: {
		get:    `SELECT doc FROM aclgate.realms WHERE id = $1`,
		each:   `SELECT id, doc FROM aclgate.realms WHERE id > $1 ORDER BY id LIMIT $2`,
		of:     `SELECT id, doc FROM aclgate.realms WHERE cid = $3 AND id > $1 ORDER BY id LIMIT $2`,
		all:    `SELECT id, doc FROM aclgate.realms`,
		holds:  `SELECT EXISTS (SELECT FROM aclgate.realms WHERE cid = $1)`,
		put:    `INSERT INTO aclgate.realms (id, doc) SELECT i, d::json FROM unnest($1::bigint[], $2::text[]) u (i, d) ON CONFLICT (id) DO UPDATE SET doc = excluded.doc`,
		remove: `DELETE FROM aclgate.realms WHERE id = $1`,
	},
	store.Users: {
		get:    `SELECT doc FROM aclgate.users WHERE id = $1`,
		each:   `SELECT id, doc FROM aclgate.users WHERE id > $1 ORDER BY id LIMIT $2`,
		of:     `SELECT id, doc FROM aclgate.users WHERE cid = $3 AND id > $1 ORDER BY id LIMIT $2`,
		all:    `SELECT id, doc FROM aclgate.users`,
		holds:  `SELECT EXISTS (SELECT FROM aclgate.users WHERE cid = $1)`,
		put:    `INSERT INTO aclgate.users (id, doc) SELECT i, d::json FROM unnest($1::bigint[], $2::text[]) u (i, d) ON CONFLICT (id) DO UPDATE SET doc = excluded.doc`,
		remove: `DELETE FROM aclgate.users WHERE id = $1`,
	},
	store.Items: {
		get:   `SELECT json_build_object('collection', collection, 'id', id, 'cid', cid) FROM aclgate.items WHERE n = $1`,
		each:  `SELECT n, json_build_object('collection', collection, 'id', id, 'cid', cid) FROM aclgate.items WHERE n > $1 ORDER BY n LIMIT $2`,
		of:    `SELECT n, json_build_object('collection', collection, 'id', id, 'cid', cid) FROM aclgate.items WHERE cid = $3 AND n > $1 ORDER BY n LIMIT $2`,
		all:   `SELECT n, json_build_object('collection', collection, 'id', id, 'cid', cid) FROM aclgate.items`,
		holds: `SELECT EXISTS (SELECT FROM aclgate.items WHERE cid = $1)`,
	},
	store.GrantLinks: {
		get:   `SELECT json_agg(cid ORDER BY cid) FROM aclgate.grant_links WHERE grant_id = $1 GROUP BY grant_id`,
		each:  `SELECT grant_id, json_agg(cid ORDER BY cid) FROM aclgate.grant_links WHERE grant_id > $1 GROUP BY grant_id ORDER BY grant_id LIMIT $2`,
		all:   `SELECT grant_id, json_agg(cid ORDER BY cid) FROM aclgate.grant_links GROUP BY grant_id`,
		holds: `SELECT EXISTS (SELECT FROM aclgate.grant_links WHERE cid = $1)`,
	},
}

// What is asked of all tables together.
const (
	// selectHead is all of an idle poll: where the database is, and whether that is where it was.
	selectHead = `SELECT h.rev, h.floor, h.version, pg_is_in_recovery(), (SELECT c.mark FROM aclgate.changes c WHERE c.rev = $1) FROM aclgate.head h`

	// selectSince has the head, the changes after $1, at most $2, until they name $3 rows, and the
	// rows that they name: one statement, one snapshot. A change that names more than $4 rows is
	// one that names none.
	selectSince = `WITH news AS MATERIALIZED (
  SELECT c.rev, c.mark, c.kind, c.at, c.actor, CASE WHEN cardinality(c.ids) > $4 THEN '{}' ELSE c.ids END AS ids
  FROM aclgate.changes c WHERE c.rev > $1 ORDER BY c.rev LIMIT $2
), counted AS MATERIALIZED (
  SELECT s.*, sum(cardinality(s.ids)) OVER (ORDER BY s.rev) - cardinality(s.ids) AS named FROM news s
), found AS MATERIALIZED (SELECT * FROM counted WHERE named < $3
), named AS MATERIALIZED (SELECT DISTINCT f.kind, i.id FROM found f, unnest(f.ids) i (id))
SELECT 0 AS what, h.rev AS a, h.floor AS b, h.version::bigint AS c, NULL::bigint[] AS ids, (SELECT c.mark FROM aclgate.changes c WHERE c.rev = $1) AS mark,
  NULL::timestamptz AS at, pg_is_in_recovery()::text AS text FROM aclgate.head h
UNION ALL SELECT 1, f.rev, f.kind, 0, f.ids, f.mark, f.at, f.actor FROM found f
UNION ALL SELECT 2, n.kind, n.id, 0, NULL, NULL, NULL, t.doc::text FROM named n LEFT JOIN aclgate.accounts t ON t.id = n.id WHERE n.kind = 1
UNION ALL SELECT 2, n.kind, n.id, 0, NULL, NULL, NULL, t.doc::text FROM named n LEFT JOIN aclgate.tokens t ON t.id = n.id WHERE n.kind = 2
UNION ALL SELECT 2, n.kind, n.id, 0, NULL, NULL, NULL, t.doc::text FROM named n LEFT JOIN aclgate.roles t ON t.id = n.id WHERE n.kind = 3
UNION ALL SELECT 2, n.kind, n.id, 0, NULL, NULL, NULL, t.doc::text FROM named n LEFT JOIN aclgate.grants t ON t.id = n.id WHERE n.kind = 4
UNION ALL SELECT 2, n.kind, n.id, 0, NULL, NULL, NULL, t.doc::text FROM named n LEFT JOIN aclgate.limits t ON t.id = n.id WHERE n.kind = 5
UNION ALL SELECT 2, n.kind, n.id, 0, NULL, NULL, NULL, t.doc::text FROM named n LEFT JOIN aclgate.realms t ON t.id = n.id WHERE n.kind = 6
UNION ALL SELECT 2, n.kind, n.id, 0, NULL, NULL, NULL, t.doc::text FROM named n LEFT JOIN aclgate.users t ON t.id = n.id WHERE n.kind = 7
UNION ALL SELECT 2, n.kind, n.id, 0, NULL, NULL, NULL, (SELECT json_build_object('collection', t.collection, 'id', t.id, 'cid', t.cid)::text
  FROM aclgate.items t WHERE t.n = n.id) FROM named n WHERE n.kind = 8
UNION ALL SELECT 2, n.kind, n.id, 0, NULL, NULL, NULL, (SELECT json_agg(t.cid ORDER BY t.cid)::text
  FROM aclgate.grant_links t WHERE t.grant_id = n.id) FROM named n WHERE n.kind = 9`

	// Changes that name nothing are looked for behind the last one that names the row: no index has them,
	// and together with it they would be a scan of all history.
	selectLast = `WITH named AS MATERIALIZED (
  SELECT c.rev, c.mark FROM aclgate.changes c WHERE c.kind = $1 AND c.ids @> ARRAY[$2::bigint]),
last AS MATERIALIZED (SELECT n.rev, n.mark FROM named n ORDER BY n.rev DESC LIMIT 1)
SELECT x.mark FROM (SELECT l.rev, l.mark FROM last l UNION ALL
  SELECT c.rev, c.mark FROM aclgate.changes c WHERE c.kind = $1 AND cardinality(c.ids) = 0 AND c.rev > coalesce((SELECT l.rev FROM last l), 0)) x
ORDER BY x.rev DESC LIMIT 1`

	selectChanges = `SELECT c.rev, c.mark, c.kind, c.ids, c.at, c.actor, c.before, c.after FROM aclgate.changes c
  WHERE c.rev > $1 AND ($2::smallint = 0 OR c.kind = $2::smallint) AND ($3::bigint = 0 OR c.ids @> ARRAY[$3::bigint] OR c.ids = '{}') ORDER BY c.rev LIMIT $4`

	selectReplicas = `SELECT id, version, applied, beat, extract(epoch FROM clock_timestamp() - seen)::float8 FROM aclgate.replicas ORDER BY id`
	selectUses     = `SELECT token_id, used FROM aclgate.uses`
	selectBearer   = `SELECT id FROM aclgate.accounts WHERE replace(doc::text, '\u0000', '\u0001')::json->>'limit_id' = $1::bigint::text ORDER BY id LIMIT 1`
	// The condition is word for word that of the index.
	countTokens = `SELECT count(*) FROM aclgate.tokens WHERE cid = ANY ($1::bigint[]) AND (coalesce(replace(doc::text, '\u0000', '\u0001')::json->>'user_id', '0') = '0'
  OR coalesce(replace(doc::text, '\u0000', '\u0001')::json->>'created_by', '0') <> '0')`
	selectOwner   = `SELECT cid FROM aclgate.items WHERE collection = $1 AND id = $2`
	selectSealed  = `SELECT box FROM aclgate.sealed WHERE token_id = $1`
	selectSecret  = `SELECT verifier FROM aclgate.secrets WHERE user_id = $1`
	selectDeleted = `SELECT id, doc, at FROM aclgate.deleted WHERE kind = $1 AND id > $2 AND at >= $3 ORDER BY id LIMIT $4`
)

// What transactions are made of.
const (
	begin      = `BEGIN`
	snapshot   = `BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY`
	commit     = `COMMIT`
	rollback   = `ROLLBACK`
	savepoint  = `SAVEPOINT part`
	rollbackTo = `ROLLBACK TO part`
	release    = `RELEASE part`
	nothing    = `SELECT 1`
)

// What changes something.
const (
	beginChange = `SELECT aclgate.begin_change($1)`
	setActor    = `SELECT set_config('aclgate.actor', $1, true)`

	// beat takes nothing for applied that this database does not have: a database that went back
	// gives the number again. A lazy one waits for neither disk nor standby.
	beat = `WITH lazy AS MATERIALIZED (SELECT CASE WHEN $5::boolean THEN set_config('synchronous_commit', 'off', true) END)
  INSERT INTO aclgate.replicas AS r (id, version, applied, beat, seen) SELECT $1, $2, CASE WHEN $4::uuid = '00000000-0000-0000-0000-000000000000'
    OR EXISTS (SELECT FROM aclgate.changes c WHERE c.rev = $3::bigint AND c.mark = $4::uuid) THEN $3::bigint ELSE 0 END, 1, clock_timestamp() FROM lazy
  ON CONFLICT (id) DO UPDATE SET version = excluded.version, applied = excluded.applied, beat = r.beat + 1, seen = excluded.seen`
	leave  = `DELETE FROM aclgate.replicas WHERE id = $1`
	forget = `DELETE FROM aclgate.replicas WHERE id = $1 AND beat = $2`

	// saveUses takes no use that lies in the future of the server, and none of a token that is gone.
	saveUses = `INSERT INTO aclgate.uses AS u (token_id, used, said)
  SELECT n.id, least(n.at, extract(epoch FROM clock_timestamp())::bigint), clock_timestamp() FROM unnest($1::bigint[], $2::bigint[]) n (id, at)
  WHERE EXISTS (SELECT FROM aclgate.tokens t WHERE t.id = n.id) ORDER BY n.id
  ON CONFLICT (token_id) DO UPDATE SET used = excluded.used, said = excluded.said WHERE excluded.used > u.used`

	// addRates books in the order of names, so that two gateways do not wait for each other. A debt
	// that is new counts as if its bucket had been empty $4 microseconds ago.
	addRates = `INSERT INTO aclgate.rates AS r (name, drains, amount, at)
  SELECT u.name, u.drains, CASE WHEN u.drains THEN u.amount - $4::bigint ELSE u.amount END, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
  FROM unnest($1::text[], $2::bool[], $3::bigint[]) u (name, drains, amount) ORDER BY u.name
  ON CONFLICT (name) DO UPDATE SET at = excluded.at, amount = excluded.amount + CASE WHEN r.drains
    THEN greatest(r.amount - greatest(excluded.at - r.at, 0) + $4::bigint, 0) ELSE r.amount END
  RETURNING name, greatest(amount, 0)`
	selectDebts = `SELECT name, owed FROM (SELECT name, amount - greatest((extract(epoch FROM clock_timestamp()) * 1000000)::bigint - at, 0) AS owed
  FROM aclgate.rates WHERE drains) d WHERE owed > 0 ORDER BY owed DESC LIMIT $1`
	pruneRates = `DELETE FROM aclgate.rates
  WHERE at + CASE WHEN drains THEN greatest(amount, 0) + 60000000 ELSE $1::bigint END < (extract(epoch FROM clock_timestamp()) * 1000000)::bigint`

	newID     = `INSERT INTO aclgate.ids AS i (kind, next) VALUES ($1, 2) ON CONFLICT (kind) DO UPDATE SET next = i.next + 1 RETURNING next - 1`
	putOwners = `INSERT INTO aclgate.items AS i (collection, id, cid) SELECT $1, u.id, u.cid FROM unnest($2::bigint[], $3::bigint[]) u (id, cid)
  ON CONFLICT (collection, id) DO UPDATE SET cid = excluded.cid WHERE i.cid <> excluded.cid`
	deleteOwner = `DELETE FROM aclgate.items WHERE collection = $1 AND id = $2`
	link        = `WITH g AS MATERIALIZED (SELECT id FROM aclgate.grants WHERE id = $1), i AS (
  INSERT INTO aclgate.grant_links (grant_id, cid) SELECT g.id, $2::bigint FROM g ON CONFLICT DO NOTHING) SELECT id FROM g`
	unlink     = `DELETE FROM aclgate.grant_links WHERE grant_id = $1 AND cid = $2`
	seal       = `INSERT INTO aclgate.sealed (token_id, box) SELECT id, $2::bytea FROM aclgate.tokens WHERE id = $1 ON CONFLICT (token_id) DO UPDATE SET box = excluded.box`
	unseal     = `DELETE FROM aclgate.sealed WHERE token_id = $1`
	setSecret  = `INSERT INTO aclgate.secrets (user_id, verifier) SELECT id, $2::text FROM aclgate.users WHERE id = $1 ON CONFLICT (user_id) DO UPDATE SET verifier = excluded.verifier`
	dropSecret = `DELETE FROM aclgate.secrets WHERE user_id = $1`
	prune      = `SELECT aclgate.prune($1, $2)`
)

// What a migration asks.
const (
	hasSchema = `SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'aclgate'), to_regclass('aclgate.head') IS NOT NULL,
  (SELECT count(*) FROM pg_catalog.pg_roles WHERE rolname IN ('aclgate_owner', 'aclgate_admin', 'aclgate_replica')) = 3,
  current_setting('server_encoding') = 'UTF8', current_setting('server_version_num')::int, pg_is_in_recovery()`
	selectProcess = `SELECT pg_backend_pid()`
	selectVersion = `SELECT version FROM aclgate.head`
	hasNoStore    = `SELECT to_regclass('aclgate.head') IS NULL`
	dropStore     = `DROP SCHEMA aclgate CASCADE`
	lockSchema    = `SELECT pg_advisory_xact_lock(7235421)`
	asOwner       = `SET LOCAL ROLE aclgate_owner`

	selectDurability = `SELECT current_setting('synchronous_commit'), current_setting('fsync'), current_setting('synchronous_standby_names'),
  (SELECT count(*) FROM pg_catalog.pg_stat_replication)`

	// brokenTables are those that changes can pass without a revision.
	brokenTables = `SELECT t.name FROM unnest(ARRAY['accounts', 'tokens', 'roles', 'grants', 'limits', 'realms', 'users', 'items', 'grant_links']) t (name)
  WHERE (SELECT count(*) FROM pg_catalog.pg_trigger g WHERE g.tgrelid = to_regclass('aclgate.' || t.name) AND g.tgenabled = 'A'
    AND g.tgname IN ('note_i', 'note_u', 'note_d', 'note_t')) <> 4`
)
